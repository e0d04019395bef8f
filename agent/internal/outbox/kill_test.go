package outbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// TestMain turns the test binary into an agent when it is asked to be one.
func TestMain(m *testing.M) {
	if os.Getenv("HEADWATER_TEST_CHILD") != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

// childConfig is what parent and child both open.
func childConfig(dir, ringDir string) Config {
	return Config{
		Device: "dev-1", Boot: testBoot, Dir: dir, RingDir: ringDir, RingBytes: 1 << 20, Rate: 10, Reserve: 1,
		Clock: newClock(), noSync: os.Getenv("HEADWATER_TEST_NOSYNC") != "",
	}
}

// child accepts rows from a number on and tells each one once it is accepted, or, with a way to flash,
// once it is flushed. It never returns.
func child() {
	env := os.Getenv
	o, err := Open(childConfig(env("HEADWATER_TEST_DIR"), env("HEADWATER_TEST_RING")))
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	go func() { _ = o.Run(context.Background()) }()
	from, _ := strconv.Atoi(env("HEADWATER_TEST_FROM"))
	flushEvery := env("HEADWATER_TEST_FLUSH") != ""
	for i := from; ; i++ {
		if err := o.Append(row(i)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		switch {
		case !flushEvery:
			fmt.Println("accepted", i)
			if i%7 == 6 {
				_ = o.Seal()
			}
		case i%5 == 4:
			_ = o.Seal()
			o.flash.Lock()
			o.flush(func(*held) bool { return true })
			left := len(o.held)
			o.flash.Unlock()
			if left > 0 { // the card is gone
				select {}
			}
			fmt.Println("accepted", i)
		}
	}
}

// killChild runs a child until it has said n times that it accepted a row, cuts it off, and returns the
// last row that it had accepted.
func killChild(t *testing.T, n int, cut func(*exec.Cmd), env ...string) (last int) {
	t.Helper()
	cmd := need.Self()
	cmd.Env = append(os.Environ(), append(env, "HEADWATER_TEST_CHILD=1")...)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	last = -1
	for seen := 0; lines.Scan(); seen++ {
		if seen == n {
			cut(cmd)
		}
		word, rest, _ := strings.Cut(lines.Text(), " ")
		if word != "accepted" {
			t.Fatalf("child: %s", lines.Text())
		}
		if last, err = strconv.Atoi(rest); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // killed
	return last
}

// TestKilledProcessLosesNothing kills an agent twenty times at random and counts: every accepted row lands
// once. The control has its ring on the heap and must lose, or this test could not see a loss.
func TestKilledProcessLosesNothing(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 5
	}
	lost := func(t *testing.T, ringDir string) (lost int) {
		dir := t.TempDir()
		l := newLake(t)
		var accepted []int
		rng := rand.New(rand.NewPCG(1, 2))
		from := 0
		for range kills {
			last := killChild(t, rng.IntN(400), func(c *exec.Cmd) { must(t, c.Process.Kill()) },
				"HEADWATER_TEST_DIR="+dir, "HEADWATER_TEST_RING="+ringDir, "HEADWATER_TEST_FROM="+strconv.Itoa(from))
			for i := from; i <= last; i++ {
				accepted = append(accepted, i)
			}
			from = last + 100 // the row that was on its way may have been accepted unseen
			if rng.IntN(4) == 0 {
				o, err := Open(childConfig(dir, ringDir))
				must(t, err)
				l.drain(o)
				must(t, o.Close())
			}
		}
		o, err := Open(childConfig(dir, ringDir))
		must(t, err)
		defer func() { must(t, o.Close()) }()
		l.drain(o)
		for _, i := range accepted {
			switch l.got[key(i)] {
			case 0:
				lost++
			case 1:
			default:
				t.Fatalf("row %d landed %d times", i, l.got[key(i)])
			}
		}
		t.Logf("%d kills, %d rows accepted, %d lost", kills, len(accepted), lost)
		return lost
	}
	t.Run("ring on tmpfs", func(t *testing.T) {
		if n := lost(t, tmpfs(t)); n != 0 {
			t.Fatalf("%d accepted rows lost", n)
		}
	})
	t.Run("control: ring on the heap", func(t *testing.T) {
		if n := lost(t, ""); n == 0 {
			t.Fatal("a heap ring lost nothing: the test cannot see a loss")
		}
	})
}

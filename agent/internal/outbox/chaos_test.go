//go:build chaos && linux

package outbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	ioctlShutdown = 0x8004587d // FS_IOC_SHUTDOWN
	noLogFlush    = 2          // what was not synced is gone
	cutCycles     = 12
)

// card is an ext4 file system in a file, on a loop device, which can lose its power.
type card struct {
	t         *testing.T
	loop, dir string
}

func newCard(t *testing.T) *card {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("power cuts need root")
	}
	img := filepath.Join(t.TempDir(), "card.img")
	f, err := os.Create(img)
	must(t, err)
	must(t, f.Truncate(96<<20))
	must(t, f.Close())
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", img).CombinedOutput(); err != nil {
		t.Skipf("no mkfs.ext4: %v: %s", err, out)
	}
	out, err := exec.Command("losetup", "-f", "--show", img).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device: %v: %s", err, out)
	}
	c := &card{t: t, loop: strings.TrimSpace(string(out)), dir: t.TempDir()}
	t.Cleanup(func() {
		_ = exec.Command("umount", c.dir).Run()
		_ = exec.Command("losetup", "-d", c.loop).Run()
	})
	return c
}

func (c *card) mount() {
	c.t.Helper()
	if out, err := exec.Command("mount", "-t", "ext4", c.loop, c.dir).CombinedOutput(); err != nil {
		c.t.Fatalf("mount: %v: %s", err, out)
	}
}

func (c *card) unmount() {
	c.t.Helper()
	if out, err := exec.Command("umount", c.dir).CombinedOutput(); err != nil {
		c.t.Fatalf("umount: %v: %s", err, out)
	}
}

// cut takes the power away: nothing that is not on the card by now will ever be.
func (c *card) cut() {
	c.t.Helper()
	fd, err := unix.Open(c.dir, unix.O_RDONLY, 0)
	must(c.t, err)
	defer func() { _ = unix.Close(fd) }()
	must(c.t, unix.IoctlSetPointerInt(fd, ioctlShutdown, noLogFlush))
}

// TestPowerCut cuts the power while an agent flushes. What it had called flushed must be there; what it
// had not, it must declare. The control does not sync and must lose.
func TestPowerCut(t *testing.T) {
	run := func(t *testing.T, env ...string) (cycles, acked, lost int) {
		c := newCard(t)
		l := newLake(t)
		rng := rand.New(rand.NewPCG(7, 7))
		from := 0
		for ; cycles < cutCycles; cycles++ {
			c.mount()
			last := killChild(t, rng.IntN(60), func(cmd *exec.Cmd) { c.cut(); must(t, cmd.Process.Kill()) },
				append(env, "HEADWATER_TEST_DIR="+c.dir+"/data", "HEADWATER_TEST_FLUSH=1", "HEADWATER_TEST_FROM="+strconv.Itoa(from))...)
			c.unmount()
			c.mount()
			o, err := Open(childConfig(c.dir+"/data", ""))
			must(t, err)
			l.drain(o)
			must(t, o.Close())
			c.unmount()
			for i := from; i <= last; i++ {
				acked++
				switch l.got[key(i)] {
				case 0:
					lost++
				case 1:
				default:
					t.Fatalf("row %d landed %d times", i, l.got[key(i)])
				}
			}
			from = (last/5 + 20) * 5
		}
		return cycles, acked, lost
	}
	table := fmt.Sprintf("%-12s %8s %8s %8s\n", "ext4", "cycles", "flushed", "lost")
	t.Run("synced", func(t *testing.T) {
		cycles, acked, lost := run(t)
		table += fmt.Sprintf("%-12s %8d %8d %8d\n", "synced", cycles, acked, lost)
		if lost != 0 {
			t.Fatalf("%d flushed rows lost", lost)
		}
	})
	t.Run("control: not synced", func(t *testing.T) {
		cycles, acked, lost := run(t, "HEADWATER_TEST_NOSYNC=1")
		table += fmt.Sprintf("%-12s %8d %8d %8d\n", "NoSync", cycles, acked, lost)
		if lost == 0 {
			t.Fatal("without a sync nothing was lost: the test cannot see a loss")
		}
	})
	fmt.Print(table)
}

// TestDiskFull: the card is smaller than the quota, and somebody else fills what is left of it. Every
// reading lands or is in a gap, the gaps too survive the process, and the epoch ends in order.
func TestDiskFull(t *testing.T) {
	for name, filler := range map[string]bool{"by us": false, "by others": true} {
		t.Run(name, func(t *testing.T) {
			c := newCard(t)
			c.mount()
			defer c.unmount()
			cfg := config(t)
			cfg.Dir, cfg.Quota = c.dir+"/data", 1<<30
			o := mustOpen(t, cfg)
			if filler {
				f, err := os.Create(c.dir + "/filler")
				must(t, err)
				for err == nil {
					_, err = f.Write(make([]byte, 4096))
				}
				must(t, f.Close())
			}
			const rows = 10_000
			for i := range rows {
				must(t, o.Append(heavy(i, 12<<10))) // 120 MB on 96
			}
			kill(t, o)
			o = mustOpen(t, cfg)
			l := newLake(t)
			l.drain(o)
			if gapped := wantAccounted(t, l, rows, 10); gapped == 0 {
				t.Fatal("nothing was given up: the card was not full")
			}
			must(t, o.Close())
		})
	}
}

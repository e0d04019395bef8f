package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/need"
)

// Steer TestKills: how many kills, and which. `make chaos` and `make e2e` kill more often than `make test`.
const (
	killsEnv = "HEADWATER_KILLS"
	seedEnv  = "HEADWATER_SEED"
)

func number(t *testing.T, env string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}

// victim is what can be ended without warning, and comes back.
type victim struct {
	name     string
	down, up func()
	line     bool // a network, not a process
}

// river is a fleet, its gateway and what lies between them.
type river struct {
	g       *gateway
	agents  []*agent
	victims []victim
}

// populate adds a fleet that reaches the broker, and names what can be ended.
func (r *river) populate(t *testing.T, broker string, between ...victim) *river {
	r.agents = fleet(t, broker, 2)
	r.victims = append(between, victim{name: "gateway", down: func() { r.g.kill() }, up: func() { r.g.start() }})
	for i, a := range r.agents {
		r.victims = append(r.victims, victim{name: fmt.Sprintf("agent %d", i), down: a.kill, up: func() { a.start() }})
	}
	return r
}

// cuttable returns a line as a victim.
func cuttable(name string, l *line) victim {
	return victim{name: name, down: l.cut, up: l.mend, line: true}
}

// behindFrontdoor is the river with the embedded broker.
func behindFrontdoor(t *testing.T) *river {
	g := newGateway(t).start()
	devices := newLine(t, g.mqtt)
	return (&river{g: g}).populate(t, devices.addr, cuttable("line of the devices", devices))
}

// behindMosquitto is the river with a broker between.
func behindMosquitto(t *testing.T) *river {
	m := newMosquitto(t).start()
	devices, inland := newLine(t, m.addr), newLine(t, m.addr)
	g := behind(t, inland.addr).start()
	return (&river{g: g}).populate(t, devices.addr, cuttable("line of the devices", devices), cuttable("line of the gateway", inland),
		victim{name: "Mosquitto", down: func() { m.kill() }, up: func() { m.start() }})
}

// TestKills kills agents, gateway and Mosquitto at random, alone and together, and cuts the lines between them, while
// live data comes in and backlogs drain.
func TestKills(t *testing.T) {
	seed, kills := number(t, seedEnv, uint64(time.Now().UnixNano())), number(t, killsEnv, 10)
	if heavy() {
		kills = number(t, killsEnv, 300)
	}
	t.Logf("%s=%d %s=%d", seedEnv, seed, killsEnv, kills)
	for i, door := range []struct {
		name string
		open func(*testing.T) *river
	}{{"frontdoor", behindFrontdoor}, {"Mosquitto", behindMosquitto}} {
		t.Run(door.name, func(t *testing.T) {
			r := door.open(t)
			done := r.rage(t, rand.New(rand.NewPCG(seed, uint64(i))), int(kills))
			r.g.balance(r.agents)
			t.Logf("killed and cut: %v", done)
			t.Run("seen by others", func(t *testing.T) { sameForOthers(t, need.Python(t), r.g, r.agents) })
		})
	}
}

// rage kills until it has killed so often, and returns what it did.
func (r *river) rage(t *testing.T, rng *rand.Rand, kills int) map[string]int {
	t.Helper()
	done := map[string]int{}
	some := func() { // now and then no wait at all: what has just come up dies, too
		if rng.IntN(8) > 0 {
			i := rng.IntN(len(r.agents))
			more(t, r.agents[i:i+1], float64(rng.IntN(150)))
		}
	}
	for killed := 0; killed < kills; {
		some()
		hit := []victim{r.victims[rng.IntN(len(r.victims))]}
		switch rng.IntN(8) {
		case 0:
			hit = r.victims // all at once
		case 1:
			if other := r.victims[rng.IntN(len(r.victims))]; other.name != hit[0].name {
				hit = append(hit, other)
			}
		}
		for _, v := range hit {
			v.down()
			done[v.name]++
			if !v.line {
				killed++
			}
		}
		if len(hit) == 1 && rng.IntN(4) == 0 {
			r.goOn(t, hit[0], float64(rng.IntN(100)))
		}
		for _, n := range rng.Perm(len(hit)) {
			hit[n].up()
		}
	}
	more(t, r.agents, 20) // none is stopped before it is up
	return done
}

// goOn waits until those agents that are up have accepted n readings more each.
func (r *river) goOn(t *testing.T, down victim, n float64) {
	t.Helper()
	for i, a := range r.agents {
		if down.name != fmt.Sprintf("agent %d", i) {
			more(t, []*agent{a}, n)
		}
	}
}

// sameForOthers holds that PyIceberg and DuckDB see what the ledger says, and every key once.
func sameForOthers(t *testing.T, python string, g *gateway, agents []*agent) {
	t.Helper()
	landed := int64(0)
	for i := range agents {
		landed += g.ledger(fmt.Sprintf("dev-%d", i)).Landed
	}
	d := read(t, python, g)
	for reader, s := range map[string]seen{"PyIceberg": d.PyIceberg, "DuckDB": d.DuckDB} {
		if s.Rows != landed || s.Distinct != landed {
			t.Errorf("%s reads %d rows, %d distinct, of %s; the ledger says that %d landed",
				reader, s.Rows, s.Distinct, filepath.Base(g.data), landed)
		}
	}
}

//go:build chaos

package e2e

import (
	"strings"
	"testing"
)

// TestMosquittoOutOfMemory lets the broker reach its memory limit, at which it turns devices away and ends. It takes
// a minute until the memory is used up.
func TestMosquittoOutOfMemory(t *testing.T) {
	m := newMosquitto(t, "memory_limit 80000", "max_queued_messages 0").start()
	g := newBehind(t, m).start()
	agents := fleet(t, m.addr, 4)
	more(t, agents, 100)
	g.kill()
	waitFor(t, "Mosquitto to run out of memory", func() bool { return strings.Contains(m.text(), "Out of memory") || m.ended() })
	m.kill()
	m.configure()
	m.start()
	g.start()
	g.balance(agents) // by agents that begin anew: those that were turned away wait for minutes
}

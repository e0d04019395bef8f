package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/log"
	"github.com/headwater-iot/headwater/gateway/internal/register"
	"github.com/headwater-iot/headwater/shared/durable"
	"github.com/headwater-iot/headwater/shared/health"
)

// ContractPath is where the control socket takes changes of contracts.
const ContractPath = "/contract"

// pseudonymFile holds the key of pseudonyms, beside the tables that have them: with another key equal texts would no
// longer be equal. It is outside the warehouse, so that who reads tables does not read it.
const pseudonymFile = "pseudonym.key"

// contracts is what is in force, and what of the directory is not.
type contracts struct {
	*register.Register
	board *health.Board
	alarm *health.Condition

	mu      sync.Mutex
	refused []register.Refusal
	stored  []log.Position // of the last change
}

func newContracts(r *register.Register, board *health.Board) *contracts {
	return &contracts{Register: r, board: board, alarm: &health.Condition{
		Code: "contracts", Title: "Contracts are not in force as their files say", Severity: health.Error,
	}}
}

// change is the command of an operator. A file of the directory that it puts in force is not missed any more.
func (c *contracts) change(ctx context.Context, q register.Request) (register.Answer, error) {
	a, err := c.Change(ctx, q)
	if err == nil {
		c.miss(slices.DeleteFunc(c.missed(), func(r register.Refusal) bool { return q.Source != "" && string(r.Source) == q.Source && !q.Shadow }))
	}
	return a, err
}

// store notes where in the log the last change is.
func (c *contracts) store(at []log.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored = at
}

func (c *contracts) last() []log.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stored
}

// landWithin is how long a command waits for its change to land, which takes a second or two: beyond, landing has trouble
// that health tells of, and the log keeps the change.
const landWithin = 30 * time.Second

// changeContracts makes the change that an operator asks for, and answers when it has landed: then it outlives the log.
func (g *Gateway) changeContracts(ctx context.Context, q register.Request) (register.Answer, error) {
	a, err := g.contracts.change(ctx, q)
	if err != nil {
		return a, err
	}
	wait, stop := context.WithTimeout(ctx, landWithin)
	defer stop()
	a.Landed = g.progress.wait(wait, g.contracts.last()) // one that is asked for again may not have landed yet
	g.describe(ctx)
	return a, nil
}

// describe writes what the contracts in force say into the tables. It gates nothing.
func (g *Gateway) describe(ctx context.Context) {
	if err := g.lake.Describe(ctx, g.contracts.Force().Active().About); err != nil && ctx.Err() == nil {
		g.opt.Logger.Warn("the tables do not say what contracts do; it is tried again", "error", err, "in", g.settings.Maintain.Every)
	}
}

func (c *contracts) missed() []register.Refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.refused)
}

// miss shows what of the directory is not in force.
func (c *contracts) miss(refused []register.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = refused
	if len(refused) == 0 {
		c.board.Clear(c.alarm)
		return
	}
	var text []string
	for _, r := range refused {
		text = append(text, r.Err.Error())
	}
	c.board.Raise(c.alarm, strings.Join(text, "\n"))
}

// openContracts reads which contracts are in force by the lake.
func (g *Gateway) openContracts(ctx context.Context) error {
	rows, err := g.lake.LoadContracts(ctx)
	if err != nil {
		return err
	}
	r, err := register.New(rows, g.log.Partitions(), func(ctx context.Context, payload []byte) error {
		at, err := g.log.AppendAll(ctx, log.Record{Kind: log.Contract, Payload: payload})
		if err == nil {
			g.contracts.store(at)
		}
		return err
	})
	if err != nil {
		return err
	}
	g.contracts = newContracts(r, g.board)
	g.pseudonyms, err = pseudonymKey(filepath.Join(g.settings.Lake(), pseudonymFile))
	return err
}

// pseudonymKey reads the key of pseudonyms, or makes one.
func pseudonymKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails (crypto/rand, Go 1.24)
		err = (durable.Disk{}).WriteFile(path, key, 0o600)
	case err == nil && len(key) < 16:
		err = errors.New("it has less than 16 bytes; put it back from the backup of the lake")
	}
	if err != nil {
		return nil, fmt.Errorf("key of pseudonyms %s: %w", path, err)
	}
	return key, nil
}

// levelContracts brings what is in force up to the directory of contracts. What cannot be is said and left: landing goes
// on by what is in force, and a log that is full has to land first.
func (g *Gateway) levelContracts(ctx context.Context) {
	var missed []register.Refusal
	if err := g.contracts.Level(ctx); err != nil {
		missed = append(missed, register.Refusal{Err: err})
	}
	if dir := g.settings.Contracts.Dir; dir != "" {
		taken, refused := g.contracts.ReadDir(ctx, dir)
		for _, a := range taken {
			g.opt.Logger.Info("contract applied", "id", a.ID, "version", a.Version, "before", a.Before, "verdict", a.Verdict)
		}
		missed = append(missed, refused...)
	}
	g.contracts.miss(missed)
	g.describe(ctx)
}

package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

func contractsCondition() *health.Condition {
	return &health.Condition{Code: "contracts", Title: "Contracts are not in force as their files say", Severity: health.Error}
}

// openContracts reads which contracts are in force by the lake.
func (g *Gateway) openContracts(ctx context.Context) error {
	rows, err := g.lake.LoadContracts(ctx)
	if err != nil {
		return err
	}
	g.register, err = register.New(rows, g.log.Partitions(), func(ctx context.Context, payload []byte) error {
		_, err := g.log.AppendAll(ctx, log.Record{Kind: log.Contract, Payload: payload})
		return err
	})
	if err != nil {
		return err
	}
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
	problems := []error{g.register.Level(ctx)}
	if dir := g.settings.Contracts.Dir; dir != "" {
		taken, refused := g.register.ReadDir(ctx, dir)
		for _, a := range taken {
			g.opt.Logger.Info("contract applied", "id", a.ID, "version", a.Version, "before", a.Before, "verdict", a.Verdict)
		}
		problems = append(problems, refused...)
	}
	if err := errors.Join(problems...); err != nil {
		g.board.Raise(contractsCondition(), err.Error())
	}
}

package register

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
)

// Pattern is what the files of a contracts directory are called.
const Pattern = "*.odcs.yaml"

// Refusal is a file of the directory that was not taken.
type Refusal struct {
	File   string
	Source []byte // as it was read
	Err    error
}

// ReadDir takes the contracts of a directory that are new, or compatible with what is in force. It returns what was taken,
// and why others were not: those go on as they are. Contracts that are in force without a file stay so.
func (r *Register) ReadDir(ctx context.Context, dir string) (taken []Answer, refused []Refusal) {
	files, err := filepath.Glob(filepath.Join(dir, Pattern))
	if err == nil && len(files) == 0 {
		_, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, []Refusal{{dir, nil, fmt.Errorf("read the contracts directory: %w", err)}}
	}
	slices.Sort(files)
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			refused = append(refused, Refusal{name, nil, fmt.Errorf("read contract: %w", err)})
			continue
		}
		a, err := r.changeUpTo(ctx, Request{Name: name, Source: string(source), Subject: "contracts.dir"}, contract.Compatible)
		switch {
		case err != nil:
			refused = append(refused, Refusal{name, source, fmt.Errorf("contract %s: %w; `headwater-gateway contract apply %s` decides", name, err, name)})
		case a.Changed:
			taken = append(taken, a)
		}
	}
	return taken, refused
}

package importer

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/csvfile"
)

// paper is a Screen that keeps what stays on it.
type paper struct{ strings.Builder }

func (p *paper) Print(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }
func (p *paper) Move(string, ...any)              {}

func TestFilesAreUnderstoodFirst(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	good := write("good.csv", "time,t,open,kWh,code\n2024-10-27 01:00,1.5,true,\"1,5\",x\n2024-10-27 02:00,2.5,false,\"2,5\",x\n2024-10-27 02:00,3.5,true,\"2,5\",x\n")
	bad := write("bad.csv", "time,t\n2024-01-01,1\n"+strings.Repeat("2024-01-01,one\n", mostNamed+1)+strings.Repeat("2024-01-01,1\n", 50))
	screen := &paper{}
	files := Files{
		Paths: []string{good, bad}, Device: "d", DryRun: true, ListBad: true, Screen: screen, Log: slog.New(slog.DiscardHandler),
		Options: csvfile.Options{Timezone: "Europe/Zurich"},
	}
	outcomes, err := files.Land(t.Context())
	if !errors.Is(err, ErrBadRows) || len(outcomes) != 2 || outcomes[0].Readings != 12 || outcomes[0].Done || len(outcomes[1].Bad) != mostNamed+1 {
		t.Errorf("%v: %+v", err, outcomes)
	}
	said := strings.ReplaceAll(screen.String(), dir+"/", "")
	for _, want := range []string{
		"good.csv: time \"time\" (iso), series t, open (true or false), kWh (text), code (text)\n",
		"good.csv: 3 rows from 2024-10-26T23:00:00Z to 2024-10-27T01:00:00Z, 12 readings\n",
		"good.csv: 2 rows lie in an hour that the clocks repeated",
		"bad.csv:3: value: column \"t\": not a number: \"one\"\n",
		"bad.csv: and 1 more rows that cannot be read\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s in\n%s", want, said)
		}
	}
	files.AllowBad = true
	if _, err := files.Land(t.Context()); err != nil {
		t.Error(err)
	}

	// A file that cannot be read ends the run before anything is sent, and has an outcome all the same.
	files.DryRun, files.Paths = false, []string{good, filepath.Join(dir, "none.csv")}
	outcomes, err = files.Land(t.Context())
	var names []string
	for _, o := range outcomes {
		names = append(names, filepath.Base(o.File))
	}
	if diff := cmp.Diff([]string{"good.csv", "none.csv"}, names); diff != "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v %s", err, diff)
	}
}

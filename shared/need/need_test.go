package need

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake is a test whose end can be looked at.
type fake struct {
	testing.TB
	ended string
}

func (f *fake) Helper()           {}
func (f *fake) Skip(args ...any)  { f.ended = "skip: " + args[0].(string) }
func (f *fake) Fatal(args ...any) { f.ended = "fail: " + args[0].(string) }

func TestMissingIsSkippedOrFails(t *testing.T) {
	for noSkip, want := range map[string]string{"": "skip: ", "1": "fail: "} {
		t.Setenv(NoSkipEnv, noSkip)
		f := &fake{TB: t}
		Tool(f, "no-such-program", "apt-get install nothing")
		if !strings.HasPrefix(f.ended, want) || !strings.Contains(f.ended, "apt-get install nothing") {
			t.Errorf("%s=%s: ended with %q, want %q and the install command", NoSkipEnv, noSkip, f.ended, want)
		}
		f = &fake{TB: t}
		t.Setenv(PythonEnv, "/no/such/python")
		Python(f)
		if !strings.HasPrefix(f.ended, want) {
			t.Errorf("%s=%s: without Python ended with %q, want %q", NoSkipEnv, noSkip, f.ended, want)
		}
	}
}

func TestWhatIsThereIsFound(t *testing.T) {
	if got := Tool(t, "sh", "every system has one"); got == "" {
		t.Error("sh was not found")
	}
	repo := Repo(t)
	if _, err := os.Stat(filepath.Join(repo, "shared", "need", "need.go")); err != nil {
		t.Errorf("the repository was looked for at %s: %v", repo, err)
	}
}

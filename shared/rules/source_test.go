package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// file is one parsed Go file.
type file struct {
	path  string // from the root of the repository, with slashes
	set   *token.FileSet
	ast   *ast.File
	lines int
}

func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// isMain says whether the file is of a command, the only place that may end the process.
func (f file) isMain() bool { return f.ast.Name.Name == "main" }

func parse(name, text string) (file, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return file{name, set, tree, strings.Count(text, "\n")}, err
}

// sources parses every Go file of the repository.
func sources(t *testing.T) []file {
	t.Helper()
	root := need.Repo(t)
	var all []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && skipped(entry.Name()) {
			return filepath.SkipDir
		}
		if entry.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f, err := parse(filepath.ToSlash(rel), string(text))
		all = append(all, f)
		return err
	})
	if err != nil {
		t.Fatalf("read the source: %v", err)
	}
	return all
}

// skipped folders hold no code of ours.
func skipped(name string) bool {
	return strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "var"
}

func TestSource(t *testing.T) {
	files := sources(t)
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range files {
				r.check(f, func(at token.Pos, text string) {
					t.Errorf("%s:%d: %s; %s", f.path, f.set.Position(at).Line, text, r.why)
				})
			}
		})
	}
}

// TestRulesSeeViolations is the negative control: each rule finds what is wrong with its own example.
func TestRulesSeeViolations(t *testing.T) {
	for _, r := range rules() {
		f, err := parse(r.badIn, r.bad)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		found := 0
		r.check(f, func(token.Pos, string) { found++ })
		if found != 1 {
			t.Errorf("%s: found %d violations in its example, want 1", r.name, found)
		}
	}
}

// TestSleepIsSeenOutsideBubblesOnly is the control of what the rule about sleeping takes.
func TestSleepIsSeenOutsideBubblesOnly(t *testing.T) {
	const sleep = "time.Sleep(time.Second)"
	for text, want := range map[string]int{
		"func TestA(t *testing.T) { synctest.Test(t, func(t *testing.T) { " + sleep + " }) }":                 0,
		"func TestA(t *testing.T) { synctest.Test(t, func(t *testing.T) { go func() { " + sleep + " }() }) }": 0,
		"func TestA(t *testing.T) { " + sleep + "; synctest.Test(t, func(t *testing.T) {}); " + sleep + " }":  2,
		"func TestA(t *testing.T) { t.Run(name, func(t *testing.T) { " + sleep + " }) }":                      1,
		"func TestA(t *testing.T) { synctest.Test(t, a) }\nfunc a(t *testing.T) { " + sleep + " }":            1,
		"// pass lets time pass; in a bubble.\nfunc pass() { " + sleep + " }":                                 0,
		"// pass lets time pass.\nfunc pass() { " + sleep + " }":                                              1,
		"// in a bubble\n\nfunc pass() { " + sleep + " }":                                                     1,
		"func TestA(t *testing.T) { nap := time.Sleep; nap(time.Second) }":                                    1,
	} {
		f, err := parse("a_test.go", "package a\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		noSleep(f, func(token.Pos, string) { found++ })
		if found != want {
			t.Errorf("found %d sleeps outside a bubble, want %d:\n%s", found, want, text)
		}
	}
}

// TestEveryPackageSaysWhatItPromises wants one package comment in each folder with code.
func TestEveryPackageSaysWhatItPromises(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range sources(t) {
		dir := path.Dir(f.path)
		documented[dir] = documented[dir] || f.ast.Doc.Text() != "" && !f.isTest()
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment; write in doc.go what it promises, what can be lost, and which test proves it", dir)
		}
	}
}

// TestTopLevel keeps the first look at the repository short.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(need.Repo(t))
	if err != nil {
		t.Fatal(err)
	}
	const fixed = " agent gateway shared firmware-bridge configs scripts deploy bin var "
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !strings.Contains(fixed, " "+e.Name()+" ") {
			t.Errorf("the folder %s is not one of the fixed top level:%s", e.Name(), fixed)
		}
	}
}

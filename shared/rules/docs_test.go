package rules

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// named finds the tests that a text names as proofs.
func named(text string) []string {
	return regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(text, -1)
}

// TestDocsNameTestsThatExist holds package comments and pages to their word: a promise whose proof was renamed or
// deleted has none.
func TestDocsNameTestsThatExist(t *testing.T) {
	have := map[string]bool{}
	docs := map[string]string{}
	for _, f := range sources(t) {
		if f.isTest() {
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					have[fn.Name.Name] = true
				}
			}
		} else if f.ast.Doc != nil {
			docs[f.path] = f.ast.Doc.Text()
		}
	}
	for _, page := range []string{"README.md", "ARCHITECTURE.md", "SECURITY.md", "shared/wire/FORMAT.md", "shared/wire/BODY.md"} {
		text, err := os.ReadFile(filepath.Join(need.Repo(t), page))
		if err != nil {
			t.Fatal(err)
		}
		docs[page] = string(text)
	}
	names := 0
	for path, text := range docs {
		for _, name := range named(text) {
			names++
			if !have[name] {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
	}
	if names < 50 {
		t.Errorf("only %d names were found: the rule does not see", names)
	}
	if got := named("Proved by TestA1 and (FuzzXy); testing is not."); !slices.Equal(got, []string{"TestA1", "FuzzXy"}) {
		t.Errorf("the rule sees %s", strings.Join(got, ", "))
	}
}

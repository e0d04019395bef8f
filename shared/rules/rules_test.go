package rules

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

const (
	maxFile     = 600 // lines; aim at 400
	maxFunc     = 80  // lines; aim at 40
	maxTestFunc = 120
	module      = "github.com/headwater-iot/headwater/"
)

// rule is one habit of the house.
type rule struct {
	name, why string
	check     func(f file, report func(at token.Pos, text string))
	bad       string // an example that breaks it once
	badIn     string // the file name of the example
}

func rules() []rule {
	return []rule{
		{"short files", "split it by what it holds", shortFiles, "package a\n" + strings.Repeat("\n", maxFile), "a.go"},
		{"short functions", "give the steps names", shortFuncs, "package a\nfunc f() {" + strings.Repeat("\n", maxFunc) + "}", "a.go"},
		{"no init", "what runs before main cannot be tested or left out", noInit, "package a\nfunc init() {}", "a.go"},
		{"no mutable package variables", "two instances in one process must not meet; pass it, or say \"read only\" in its comment", noMutableVars, "package a\nvar count int", "a.go"},
		{"no context in structs", "a context belongs to a call, not to a value", noContextFields, "package a\ntype a struct { ctx context.Context }", "a.go"},
		{"no sleeping tests", "use testing/synctest for timers and a channel for everything else", noSleep, "package a\nfunc f() { time.Sleep(1) }", "a_test.go"},
		{"own logger", "log with the *slog.Logger that was passed in", ownLogger, "package a\nfunc f() { slog.Info(\"x\") }", "a.go"},
		{"exit in main only", "return an error; only main ends the process", exitInMain, "package a\nfunc f() { os.Exit(1) }", "a.go"},
		{"named panics", "a panic is for our own broken invariant and its text starts with the package", namedPanics, "package a\nfunc f() { panic(err) }", "a.go"},
		{"documented names", "say what it promises to its caller", documentedNames, "package a\nfunc F() {}", "a.go"},
		{"metric names", "headwater_, base unit, _total on counters only, no label that grows with the fleet", metricNames, "package a\nfunc f() { r.Counter(\"headwater_x\", \"\") }", "a.go"},
		{"import order", "std, third-party, ours, with an empty line between", importOrder, "package a\nimport (\n\"" + module + "x\"\n\"os\"\n)", "a.go"},
	}
}

func shortFiles(f file, report func(token.Pos, string)) {
	if f.lines > maxFile {
		report(f.ast.Package, fmt.Sprintf("the file has %d lines, at most %d", f.lines, maxFile))
	}
}

func shortFuncs(f file, report func(token.Pos, string)) {
	limit := maxFunc
	if f.isTest() {
		limit = maxTestFunc
	}
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
			if n > limit {
				report(fn.Pos(), fmt.Sprintf("%s has %d lines, at most %d", fn.Name.Name, n, limit))
			}
		}
	}
}

func noInit(f file, report func(token.Pos, string)) {
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			report(fn.Pos(), "there is an init function")
		}
	}
}

// noMutableVars takes sentinel errors, embedded files, declared health conditions, interface checks and
// what calls itself read only. Test files are free: a test binary has one user.
func noMutableVars(f file, report func(token.Pos, string)) {
	allowed := map[string]string{
		"shared/buildinfo/buildinfo.go linked": "the linker sets it, the program only reads it",
	}
	if f.isTest() {
		return
	}
	for _, d := range f.ast.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, s := range group.Specs {
			v := s.(*ast.ValueSpec)
			said := strings.ToLower(comments(group.Doc, v.Doc, v.Comment))
			if strings.Contains(said, "read only") || strings.Contains(said, "go:embed") {
				continue
			}
			for i, name := range v.Names {
				_, listed := allowed[f.path+" "+name.Name]
				if !listed && name.Name != "_" && (i >= len(v.Values) || !immutable(v.Values[i])) {
					report(name.Pos(), name.Name+" is a package variable")
				}
			}
		}
	}
}

// comments returns the raw text of comments, directives too.
func comments(groups ...*ast.CommentGroup) string {
	var b strings.Builder
	for _, g := range groups {
		if g != nil {
			for _, c := range g.List {
				b.WriteString(c.Text + "\n")
			}
		}
	}
	return b.String()
}

// immutable says whether a value is a sentinel error or a declared condition.
func immutable(value ast.Expr) bool {
	if address, ok := value.(*ast.UnaryExpr); ok {
		value = address.X
	}
	switch v := value.(type) {
	case *ast.SelectorExpr: // another package's sentinel
		return strings.HasPrefix(v.Sel.Name, "Err")
	case *ast.CallExpr:
		return isSelector(v.Fun, "errors", "New") || isSelector(v.Fun, "fmt", "Errorf")
	case *ast.CompositeLit:
		return isSelector(v.Type, "health", "Condition")
	}
	return false
}

func isSelector(e ast.Expr, pkg string, names ...string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	if !ok || x.Name != pkg {
		return false
	}
	for _, name := range names {
		if s.Sel.Name == name {
			return true
		}
	}
	return false
}

func noContextFields(f file, report func(token.Pos, string)) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				if isSelector(field.Type, "context", "Context") {
					report(field.Pos(), "a struct holds a context")
				}
			}
		}
		return true
	})
}

// forbidCalls reports selectors of a package.
func forbidCalls(f file, report func(token.Pos, string), pkg string, names ...string) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && isSelector(s, pkg, names...) {
			report(s.Pos(), pkg+"."+s.Sel.Name+" is used")
		}
		return true
	})
}

// noSleep takes sleeps in a bubble of testing/synctest, where no real time passes: in a function literal that is
// handed to synctest.Test, and in a helper whose comment says "in a bubble".
func noSleep(f file, report func(token.Pos, string)) {
	if !f.isTest() {
		return
	}
	var bubbles []ast.Node
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if strings.Contains(n.Doc.Text(), "in a bubble") {
				bubbles = append(bubbles, n)
			}
		case *ast.CallExpr:
			if isSelector(n.Fun, "synctest", "Test") && len(n.Args) == 2 {
				bubbles = append(bubbles, n.Args[1])
			}
		}
		return true
	})
	forbidCalls(f, func(at token.Pos, text string) {
		inside := func(b ast.Node) bool { return b.Pos() <= at && at < b.End() }
		if !slices.ContainsFunc(bubbles, inside) {
			report(at, text)
		}
	}, "time", "Sleep")
}

func ownLogger(f file, report func(token.Pos, string)) {
	forbidCalls(f, report, "slog", "Default", "SetDefault", "Log", "LogAttrs", "Debug", "Info", "Warn", "Error",
		"DebugContext", "InfoContext", "WarnContext", "ErrorContext")
}

func exitInMain(f file, report func(token.Pos, string)) {
	if !f.isMain() && !f.isTest() {
		forbidCalls(f, report, "os", "Exit")
	}
}

func namedPanics(f file, report func(token.Pos, string)) {
	if f.isTest() {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if fn, ok := call.Fun.(*ast.Ident); ok && fn.Name == "panic" && !strings.HasPrefix(opening(call.Args[0]), f.ast.Name.Name+": ") {
			report(call.Pos(), "a panic does not start with \""+f.ast.Name.Name+": \"")
		}
		return true
	})
}

// opening returns the constant text that an expression begins with, if any.
func opening(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			return ""
		}
		return text
	case *ast.BinaryExpr:
		return opening(e.X)
	case *ast.CallExpr:
		if isSelector(e.Fun, "fmt", "Sprintf", "Errorf", "Sprint") && len(e.Args) > 0 {
			return opening(e.Args[0])
		}
	}
	return ""
}

func documentedNames(f file, report func(token.Pos, string)) {
	if f.isTest() || f.isMain() {
		return
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && ownerExported(d) && d.Doc == nil {
				report(d.Pos(), d.Name.Name+" has no comment")
			}
		case *ast.GenDecl:
			undocumentedSpecs(d, report)
		}
	}
}

// ownerExported says whether a method can be called from outside; every function can.
func ownerExported(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	name, ok := t.(*ast.Ident)
	return ok && name.IsExported()
}

// undocumentedSpecs takes one comment for a whole group of constants or variables.
func undocumentedSpecs(group *ast.GenDecl, report func(token.Pos, string)) {
	for _, s := range group.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && comments(group.Doc, s.Doc, s.Comment) == "" {
				report(s.Pos(), s.Name.Name+" has no comment")
			}
		case *ast.ValueSpec:
			if s.Names[0].IsExported() && comments(group.Doc, s.Doc, s.Comment) == "" {
				report(s.Pos(), s.Names[0].Name+" has no comment")
			}
		}
	}
}

// importOrder wants three groups, each after an empty line.
func importOrder(f file, report func(token.Pos, string)) {
	class := func(i *ast.ImportSpec) int {
		p := strings.Trim(i.Path.Value, "\"")
		switch {
		case strings.HasPrefix(p, module):
			return 2
		case strings.Contains(strings.SplitN(p, "/", 2)[0], "."):
			return 1
		}
		return 0
	}
	for i := 1; i < len(f.ast.Imports); i++ {
		last, this := f.ast.Imports[i-1], f.ast.Imports[i]
		gap := f.set.Position(this.Pos()).Line - f.set.Position(last.End()).Line
		if class(this) < class(last) || class(this) > class(last) && gap < 2 {
			report(this.Pos(), "import "+this.Path.Value+" is out of order")
		}
	}
}

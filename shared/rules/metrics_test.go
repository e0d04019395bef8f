package rules

import (
	"go/ast"
	"go/token"
	"strings"
)

// metricNames looks at calls such as r.Counter("headwater_x_total", ...). A name that is put together
// is judged by what is constant at its beginning.
func metricNames(f file, report func(token.Pos, string)) {
	if f.isTest() {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !strings.Contains(" Counter Gauge GaugeFunc Histogram ", " "+method.Sel.Name+" ") {
			return true
		}
		name := opening(call.Args[0])
		_, whole := call.Args[0].(*ast.BasicLit)
		total := strings.HasSuffix(name, "_total")
		switch {
		case name == "":
		case !strings.HasPrefix(name, "headwater_"):
			report(call.Pos(), "metric "+name+" does not start with headwater_")
		case whole && (method.Sel.Name == "Counter") != total:
			report(call.Pos(), "metric "+name+" and _total: a counter has it, nothing else does")
		case strings.HasSuffix(name, "_ms") || strings.HasSuffix(name, "_millis") || strings.HasSuffix(name, "_kib"):
			report(call.Pos(), "metric "+name+" is not in a base unit (seconds, bytes)")
		}
		for _, arg := range call.Args[1:] {
			if label, ok := arg.(*ast.BasicLit); ok && label.Value == "\"device\"" {
				report(arg.Pos(), "metric "+name+" has the label device")
			}
		}
		return true
	})
}

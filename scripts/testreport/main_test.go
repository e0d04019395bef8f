package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
		want     []string // in the output
		not      string   // not in the output
	}{
		{
			"all passed",
			`{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":2.5}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t2.6s\n"}
{"Action":"pass","Package":"p","Elapsed":2.6}`,
			true,
			[]string{"ok  \tp\t2.6s\n", "1 tests passed, 0 failures, 0 skipped in 1 packages", "2.5s p TestA"},
			"chatter",
		},
		{
			"a test failed",
			`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: lost 2 readings\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			false,
			[]string{"lost 2 readings", "0 tests passed, 2 failures", "FAILED p TestA\n"},
			"",
		},
		{
			"skipped with a reason",
			`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: needs root: run it with sudo\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			true,
			[]string{"1 skipped", "skipped, needs root: run it with sudo: TestA"},
			"",
		},
		{
			"does not build",
			`{"ImportPath":"p","Action":"build-output","Output":"a.go:1: syntax error\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p"}`,
			false,
			[]string{"syntax error"},
			"",
		},
		{
			"cut off",
			`{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Test":"TestA","Output":"about to hang\n"}`,
			false,
			[]string{"p TestA did not end", "about to hang", "p did not end"},
			"",
		},
		{"nothing", "", false, []string{"0 tests passed"}, ""},
		{"plain text from the Go tool", "go: no such module\n", false, []string{"no such module"}, ""},
	} {
		var out strings.Builder
		ok, err := summarize(strings.NewReader(c.in), &out)
		if err != nil || ok != c.ok {
			t.Errorf("%s: ok is %v, %v; want %v", c.name, ok, err, c.ok)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: want %q in\n%s", c.name, want, out.String())
			}
		}
		if c.not != "" && strings.Contains(out.String(), c.not) {
			t.Errorf("%s: %q is not wanted in\n%s", c.name, c.not, out.String())
		}
	}
}

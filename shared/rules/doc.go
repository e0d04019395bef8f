// Package rules holds the house style as tests, so that a review can be about what the code does.
//
// TestSource reads every Go file of the repository; TestRulesSeeViolations is its negative control.
// TestImports and TestForbiddenDependencies hold the borders between the parts and keep heavy packages
// out of the agent, each with its reason. TestDependencyLists compares what each binary is linked from
// with testdata/deps-*.txt, so that a new dependency is a line in a review; rewrite them with
//
//	go test ./shared/rules -update
//
// TestMakefileExplainsItself and TestScriptsParse do the same for what is not Go.
//
// The package has no code of its own and nothing to lose.
package rules

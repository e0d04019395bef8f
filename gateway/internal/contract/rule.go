package contract

import (
	"fmt"

	"github.com/headwater-iot/headwater/shared/record"
)

// Rule names one check of a reading.
type Rule string

// The rules, in the order in which they are applied. Rules on one value come first; what needs the reading before
// comes last, so that a value out of range never counts as one that moved too fast.
const (
	RuleSeries  Rule = "series"  // the contract does not name the series
	RuleType    Rule = "type"    // another kind of value than declared
	RuleNull    Rule = "null"    // no value where one is required
	RuleUnit    Rule = "unit"    // a unit that cannot be converted to the declared one
	RuleRange   Rule = "range"   // outside minimum and maximum, or not a multiple
	RuleEnum    Rule = "enum"    // not one of the declared values
	RulePattern Rule = "pattern" // text that does not match, or is too short or too long
	RuleLate    Rule = "late"    // older than allowedLateness when it came
	RuleFuture  Rule = "future"  // further ahead than futureSkew when it came
	RuleExcess  Rule = "excess"  // more than atMost in an interval
	RuleRate    Rule = "rate"    // moved faster than maxRate
	RuleStuck   Rule = "stuck"   // did not move for so long
	RuleAnomaly Rule = "anomaly" // unlikely after what came before; a flag and nothing else
)

// Rules returns all rules in the order in which they are applied.
func Rules() []Rule {
	return []Rule{
		RuleSeries, RuleType, RuleNull, RuleUnit, RuleRange, RuleEnum, RulePattern, RuleLate, RuleFuture, RuleExcess,
		RuleRate, RuleStuck, RuleAnomaly,
	}
}

// Bit returns the quality bit that a reading carries that broke the rule and landed all the same.
func (r Rule) Bit() record.Quality {
	switch r {
	case RuleType:
		return record.ContractType
	case RuleUnit:
		return record.ContractUnit
	case RuleRange:
		return record.ContractRange
	case RuleRate:
		return record.ContractRate
	case RuleStuck:
		return record.ContractStuck
	case RuleEnum:
		return record.ContractEnum
	case RulePattern:
		return record.ContractPattern
	case RuleNull:
		return record.ContractNull
	case RuleExcess:
		return record.ContractExcess
	case RuleLate:
		return record.ContractLate
	case RuleFuture:
		return record.FutureTime
	case RuleSeries:
		return record.ContractSeries
	case RuleAnomaly:
		return record.ContractAnomaly
	}
	panic("contract: rule " + string(r) + " has no bit")
}

// Action is what happens to a reading that breaks a rule.
type Action uint8

// The actions, in ascending order of force: where two rules are broken, the stronger action counts.
const (
	Flag        Action = iota // it lands with the rule's quality bit
	Quarantine                // it is kept aside, with the rule, and can be replayed
	DropWithGap               // it is given up and counted in gaps
)

// String returns the word that contracts use.
func (a Action) String() string {
	switch a {
	case Flag:
		return "flag"
	case Quarantine:
		return "quarantine"
	case DropWithGap:
		return "drop_with_gap"
	}
	return fmt.Sprintf("Action(%d)", uint8(a))
}

// UnmarshalText is the inverse of String.
func (a *Action) UnmarshalText(text []byte) error {
	for _, known := range []Action{Flag, Quarantine, DropWithGap} {
		if known.String() == string(text) {
			*a = known
			return nil
		}
	}
	return fmt.Errorf("%q is no action; want flag, quarantine or drop_with_gap", text)
}

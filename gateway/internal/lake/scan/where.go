package scan

import (
	"strings"

	"github.com/apache/iceberg-go"
)

// maxDepth bounds parentheses and nots: the parser recurses.
const maxDepth = 50

// maxTerms bounds comparisons and literals of one filter.
const maxTerms = 10_000

// Where reads a filter on rows of a schema. The error wraps *SyntaxError.
func Where(filter string, sc *iceberg.Schema) (iceberg.BooleanExpression, error) {
	p := &parser{lex: lexer{in: filter}, schema: sc}
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != end {
		return nil, p.fail("expected and, or, or the end")
	}
	return e, nil
}

// parser looks one token ahead.
type parser struct {
	lex    lexer
	tok    token
	schema *iceberg.Schema
	depth  int
	terms  int
}

func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

func (p *parser) fail(format string, args ...any) error {
	return p.lex.fail(p.tok.pos, format, args...)
}

// is reports whether the next token is a key word or punctuation.
func (p *parser) is(s string) bool {
	return (p.tok.kind == word || p.tok.kind == punct) && strings.EqualFold(p.tok.text, s)
}

// accept skips a key word or punctuation if it is next.
func (p *parser) accept(s string) (bool, error) {
	if !p.is(s) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(s string) error {
	if !p.is(s) {
		return p.fail("expected %s", s)
	}
	return p.advance()
}

func (p *parser) or() (iceberg.BooleanExpression, error) {
	return p.chain("or", p.and, func(a, b iceberg.BooleanExpression) iceberg.BooleanExpression { return iceberg.NewOr(a, b) })
}

func (p *parser) and() (iceberg.BooleanExpression, error) {
	return p.chain("and", p.not, func(a, b iceberg.BooleanExpression) iceberg.BooleanExpression { return iceberg.NewAnd(a, b) })
}

// chain reads operands that are joined by a key word. They are joined as a balanced tree: iceberg-go walks it by
// recursion, and a chain of thousands is no reason to be thousands deep.
func (p *parser) chain(key string, operand func() (iceberg.BooleanExpression, error), join func(a, b iceberg.BooleanExpression) iceberg.BooleanExpression) (iceberg.BooleanExpression, error) {
	var all []iceberg.BooleanExpression
	for {
		e, err := operand()
		if err != nil {
			return nil, err
		}
		all = append(all, e)
		more, err := p.accept(key)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	for len(all) > 1 {
		half := all[:0]
		for i := 0; i+1 < len(all); i += 2 {
			half = append(half, join(all[i], all[i+1]))
		}
		if len(all)%2 == 1 {
			half = append(half, all[len(all)-1])
		}
		all = half
	}
	return all[0], nil
}

func (p *parser) not() (iceberg.BooleanExpression, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("nested too deep")
	}
	defer func() { p.depth-- }()
	if yes, err := p.accept("not"); yes || err != nil {
		if err != nil {
			return nil, err
		}
		e, err := p.not()
		if err != nil {
			return nil, err
		}
		return iceberg.NewNot(e), nil
	}
	if yes, err := p.accept("("); yes || err != nil {
		if err != nil {
			return nil, err
		}
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	}
	return p.comparison()
}

func (p *parser) comparison() (iceberg.BooleanExpression, error) {
	if p.terms++; p.terms > maxTerms {
		return nil, p.fail("more than %d terms", maxTerms)
	}
	if p.tok.kind != word {
		return nil, p.fail("expected a column")
	}
	field, ok := p.schema.FindFieldByNameCaseInsensitive(p.tok.text)
	if !ok {
		return nil, p.fail("there is no such column; there are %s", strings.Join(names(p.schema), ", "))
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	ref := iceberg.Reference(field.Name)
	if p.tok.kind == operator {
		return p.compare(field, ref)
	}
	if yes, err := p.accept("is"); yes || err != nil {
		return p.null(ref, err)
	}
	not, err := p.accept("not")
	if err != nil {
		return nil, err
	}
	if !p.is("in") {
		return nil, p.fail("expected =, !=, <, <=, >, >=, in, or is")
	}
	return p.in(field, ref, not)
}

func (p *parser) compare(field iceberg.NestedField, ref iceberg.Reference) (iceberg.BooleanExpression, error) {
	var op iceberg.Operation
	switch p.tok.text {
	case "=":
		op = iceberg.OpEQ
	case "!=", "<>":
		op = iceberg.OpNEQ
	case "<":
		op = iceberg.OpLT
	case "<=":
		op = iceberg.OpLTEQ
	case ">":
		op = iceberg.OpGT
	case ">=":
		op = iceberg.OpGTEQ
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	lit, err := p.literal(field)
	if err != nil {
		return nil, err
	}
	return iceberg.LiteralPredicate(op, ref, lit), nil
}

// null reads what follows `is`.
func (p *parser) null(ref iceberg.Reference, err error) (iceberg.BooleanExpression, error) {
	if err != nil {
		return nil, err
	}
	not, err := p.accept("not")
	if err != nil {
		return nil, err
	}
	if err := p.expect("null"); err != nil {
		return nil, err
	}
	if not {
		return iceberg.NotNull(ref), nil
	}
	return iceberg.IsNull(ref), nil
}

func (p *parser) in(field iceberg.NestedField, ref iceberg.Reference, not bool) (iceberg.BooleanExpression, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var lits []iceberg.Literal
	for {
		if p.terms++; p.terms > maxTerms {
			return nil, p.fail("more than %d terms", maxTerms)
		}
		lit, err := p.literal(field)
		if err != nil {
			return nil, err
		}
		lits = append(lits, lit)
		more, err := p.accept(",")
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	op := iceberg.OpIn
	if not {
		op = iceberg.OpNotIn
	}
	return iceberg.SetPredicate(op, ref, lits), p.expect(")")
}

// literal reads a literal for a column.
func (p *parser) literal(field iceberg.NestedField) (iceberg.Literal, error) {
	if p.tok.kind != text && p.tok.kind != number && !p.is("true") && !p.is("false") {
		return nil, p.fail("expected a literal")
	}
	lit, err := literal(p.tok, field)
	if err != nil {
		return nil, p.fail("column %s: %v", field.Name, err)
	}
	return lit, p.advance()
}

// names returns the columns of a schema.
func names(sc *iceberg.Schema) []string {
	var all []string
	for _, f := range sc.Fields() {
		all = append(all, f.Name)
	}
	return all
}

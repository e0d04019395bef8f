package plugin

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// numeral is a number as it was written, so that integers beyond 2^53 stay what they are.
type numeral string

// mostNested is how deep arrays and objects may lie in each other, as in CBOR.
const mostNested = 32

// parseJSON reads one value (RFC 8259): nil, bool, string, numeral, []any or map[string]any. The decoder of
// encoding/json would do the same, as FuzzJSON shows, for 50 KB of an agent that has no other use for it.
func parseJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: no UTF-8", ErrLine)
	}
	p := parser{rest: string(text)}
	p.space()
	v, ok := p.value(mostNested)
	if p.space(); !ok || p.rest != "" {
		return nil, fmt.Errorf("%w: no JSON at byte %d", ErrLine, len(text)-len(p.rest)+1)
	}
	return v, nil
}

// parser reads from the front of a text. Its methods return false where the text is none of JSON.
type parser struct{ rest string }

func (p *parser) space() {
	for p.rest != "" && (p.rest[0] == ' ' || p.rest[0] == '\t' || p.rest[0] == '\n' || p.rest[0] == '\r') {
		p.rest = p.rest[1:]
	}
}

// take passes over a text that stands there.
func (p *parser) take(text string) bool {
	if len(p.rest) < len(text) || p.rest[:len(text)] != text {
		return false
	}
	p.rest = p.rest[len(text):]
	return true
}

func (p *parser) value(depth int) (any, bool) {
	switch {
	case depth == 0:
		return nil, false
	case p.take("null"):
		return nil, true
	case p.take("true"):
		return true, true
	case p.take("false"):
		return false, true
	case p.take(`"`):
		return p.text()
	case p.take("["):
		list := []any{}
		return list, p.each("]", func() bool {
			v, ok := p.value(depth - 1)
			list = append(list, v)
			return ok
		})
	case p.take("{"):
		object := map[string]any{}
		return object, p.each("}", func() bool {
			if !p.take(`"`) {
				return false
			}
			name, ok := p.text()
			if p.space(); !ok || !p.take(":") {
				return false
			}
			p.space()
			object[name], ok = p.value(depth - 1)
			return ok
		})
	default:
		return p.number()
	}
}

// each reads what is separated by commas until the end.
func (p *parser) each(end string, one func() bool) bool {
	if p.space(); p.take(end) {
		return true
	}
	for {
		p.space()
		if !one() {
			return false
		}
		if p.space(); p.take(end) {
			return true
		}
		if !p.take(",") {
			return false
		}
	}
}

// text reads a string behind its first quote.
func (p *parser) text() (string, bool) {
	var out []byte
	for p.rest != "" {
		c := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case c == '"':
			return string(out), true
		case c < ' ':
			return "", false
		case c != '\\':
			out = append(out, c)
			continue
		}
		r, ok := p.escape()
		if !ok {
			return "", false
		}
		out = utf8.AppendRune(out, r)
	}
	return "", false
}

// escape reads what stands behind a backslash.
func (p *parser) escape() (rune, bool) {
	if p.take("u") {
		r, ok := p.hex()
		if second := *p; utf16.IsSurrogate(r) && second.take(`\u`) {
			if low, good := second.hex(); good && utf16.DecodeRune(r, low) != utf8.RuneError {
				*p = second
				return utf16.DecodeRune(r, low), ok
			}
		}
		return r, ok // half a pair becomes the rune for what cannot be read
	}
	const written, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for i := range written {
		if p.take(written[i : i+1]) {
			return rune(meant[i]), true
		}
	}
	return 0, false
}

func (p *parser) hex() (rune, bool) {
	if len(p.rest) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(p.rest[:4], 16, 16)
	p.rest = p.rest[4:]
	return rune(n), err == nil
}

// number reads -12.5e+3 and the like.
func (p *parser) number() (numeral, bool) {
	whole := p.rest
	digits := func() (n int) {
		for p.rest != "" && p.rest[0] >= '0' && p.rest[0] <= '9' {
			p.rest = p.rest[1:]
			n++
		}
		return n
	}
	p.take("-")
	ok := p.take("0") || digits() > 0
	if p.take(".") {
		ok = digits() > 0 && ok
	}
	if p.take("e") || p.take("E") {
		_ = p.take("+") || p.take("-")
		ok = digits() > 0 && ok
	}
	return numeral(whole[:len(whole)-len(p.rest)]), ok
}

package scan

import (
	"fmt"
	"strings"
)

// SyntaxError says where a filter cannot be understood.
type SyntaxError struct {
	Text string // the filter
	Pos  int    // byte offset, from 0
	Msg  string
}

// Error shows the place in the text.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("at character %d (%s): %s", e.Pos+1, near(e.Text, e.Pos), e.Msg)
}

// near returns the text around a position that is worth showing.
func near(text string, pos int) string {
	if pos >= len(text) {
		return "the end"
	}
	rest := text[pos:]
	if len(rest) > 20 {
		rest = strings.ToValidUTF8(rest[:20], "") + "..."
	}
	return fmt.Sprintf("%q", rest)
}

type kind int

const (
	end      kind = iota
	word          // column or key word
	text          // 'quoted'
	number        // digits
	operator      // = != <> < <= > >=
	punct         // ( ) ,
)

// token is one lexical piece of a filter.
type token struct {
	kind kind
	text string // without quotes; key words in lower case are made by the parser
	pos  int
}

// lexer cuts a filter into tokens.
type lexer struct {
	in  string
	pos int
}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.in) && strings.IndexByte(" \t\r\n", l.in[l.pos]) >= 0 {
		l.pos++
	}
	start := l.pos
	if start == len(l.in) {
		return token{kind: end, pos: start}, nil
	}
	switch c := l.in[start]; {
	case isLetter(c):
		return l.take(word, func(c byte) bool { return isLetter(c) || isDigit(c) }), nil
	case isDigit(c) || c == '-' || c == '+' || c == '.':
		return l.take(number, func(c byte) bool { return isDigit(c) || isLetter(c) || c == '.' || c == '-' || c == '+' }), nil
	case c == '\'':
		return l.quoted()
	case c == '(' || c == ')' || c == ',':
		l.pos++
		return token{kind: punct, text: string(c), pos: start}, nil
	case c == '=' || c == '<' || c == '>' || c == '!':
		l.pos++
		if l.pos < len(l.in) && (l.in[l.pos] == '=' && c != '=' || c == '<' && l.in[l.pos] == '>') {
			l.pos++
		}
		if op := l.in[start:l.pos]; op != "!" {
			return token{kind: operator, text: op, pos: start}, nil
		}
	}
	return token{}, l.fail(start, "unexpected character")
}

// take reads a token that starts here and goes on while more holds.
func (l *lexer) take(k kind, more func(byte) bool) token {
	start := l.pos
	for l.pos++; l.pos < len(l.in) && more(l.in[l.pos]); l.pos++ {
	}
	return token{kind: k, text: l.in[start:l.pos], pos: start}
}

func (l *lexer) quoted() (token, error) {
	start := l.pos
	var b strings.Builder
	for l.pos++; l.pos < len(l.in); l.pos++ {
		if l.in[l.pos] != '\'' {
			b.WriteByte(l.in[l.pos])
			continue
		}
		l.pos++
		if l.pos < len(l.in) && l.in[l.pos] == '\'' {
			b.WriteByte('\'')
			continue
		}
		return token{kind: text, text: b.String(), pos: start}, nil
	}
	return token{}, l.fail(start, "the quote is not closed")
}

func (l *lexer) fail(pos int, format string, args ...any) error {
	return &SyntaxError{Text: l.in, Pos: pos, Msg: fmt.Sprintf(format, args...)}
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

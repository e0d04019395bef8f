package strictyaml

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File         string
	Line, Column int    // from 1
	Path         string // dotted: sensors[2].bus; empty for the file as a whole
	Text         string
}

// Error returns file:line:column: path: text.
func (p Problem) Error() string {
	at := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		at += p.Path + ": "
	}
	return at + p.Text
}

// Problems is all that is wrong with a file, in the order of the file.
type Problems []Problem

// Error returns one problem per line.
func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

// SetDefaulter is a list element that knows its defaults. SetDefaults is called on the zero value,
// before the element is decoded into it.
type SetDefaulter interface{ SetDefaults() }

// Decode reads data into the struct that into points to. The error is Problems. After an error the
// struct is half filled and must not be used.
func Decode(name string, data []byte, into any) error {
	return Parse(name, data, into).Err()
}

// Doc is a decoded file that still knows where everything stood.
type Doc struct {
	name     string
	at       map[string]position // by dotted path
	problems Problems
}

// position is a place in a file, from 1.
type position struct{ line, column int }

// Parse reads like Decode and keeps the positions, so that more problems can be added to the same list.
// It panics if into is not a pointer to a struct.
func Parse(name string, data []byte, into any) *Doc {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("strictyaml: cannot decode into %T, want a pointer to a struct", into))
	}
	d := &Doc{name: name, at: map[string]position{"": {1, 1}}}
	in := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	switch err := in.Decode(&root); {
	case errors.Is(err, io.EOF): // nothing but comments
	case err != nil:
		d.syntax(err)
	default:
		d.value(root.Content[0], v.Elem(), "")
		d.onlyOne(in)
	}
	return d
}

// onlyOne complains about a second document: its settings would silently not count.
func (d *Doc) onlyOne(in *yaml.Decoder) {
	var second yaml.Node
	switch err := in.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err)
	default:
		d.problem(&second, "", "a second document starts here; a configuration is one document")
	}
}

// syntax adds what the YAML parser could not read. It knows the line, sometimes, and never the column.
func (d *Doc) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	if strings.Contains(text, "cannot start any token") {
		text += " (a tab, perhaps? YAML is indented with spaces)"
	}
	d.problems = append(d.problems, Problem{d.name, max(line, 1), 1, "", "not YAML: " + text})
}

// Add adds a problem found by the caller at a dotted path. Where the file does not mention the path,
// the problem points at the nearest section above it.
func (d *Doc) Add(path, format string, args ...any) {
	line, column := d.Pos(path)
	d.problems = append(d.problems, Problem{d.name, line, column, path, fmt.Sprintf(format, args...)})
}

// Pos returns where a dotted path stands in the file, or the nearest section above it.
func (d *Doc) Pos(path string) (line, column int) {
	for {
		if at, ok := d.at[path]; ok {
			return at.line, at.column
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// Err returns all problems in the order of the file, as Problems, or nil.
func (d *Doc) Err() error {
	if len(d.problems) == 0 {
		return nil
	}
	all := slices.Clone(d.problems)
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return all
}

// problem adds a problem at a node.
func (d *Doc) problem(n *yaml.Node, path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	d.problems = append(d.problems, Problem{d.name, max(n.Line, 1), max(n.Column, 1), path, text})
}

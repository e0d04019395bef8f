package strictyaml

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// fieldsOf returns the fields of a struct by their key, with those of inlined structs beside its own.
func fieldsOf(t reflect.Type) map[string][]int {
	out := map[string][]int{}
	add := func(key string, index []int) {
		if _, twice := out[key]; twice {
			panic(fmt.Sprintf("strictyaml: %s has two fields for the key %s", t, key))
		}
		out[key] = index
	}
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		inline := options == "inline" || f.Anonymous && key == ""
		switch {
		case key == "-" || !f.IsExported() && !inline:
		case inline && f.Type.Kind() == reflect.Struct:
			for key, index := range fieldsOf(f.Type) {
				add(key, append([]int{i}, index...))
			}
		case key == "":
			add(strings.ToLower(f.Name), []int{i})
		default:
			add(key, []int{i})
		}
	}
	return out
}

// didYouMean returns a hint at the nearest known key, or at all of them if none is near and they are few.
func didYouMean(word string, known map[string][]int) string {
	best, distance := "", 1+max(1, len(word)/3) // further away it is another word
	keys := slices.Sorted(maps.Keys(known))
	for _, key := range keys {
		if d := edits(word, key); d < distance {
			best, distance = key, d
		}
	}
	switch {
	case best != "":
		return " (did you mean " + best + "?)"
	case len(keys) > 0 && len(keys) <= 8:
		return " (known here: " + strings.Join(keys, ", ") + ")"
	}
	return ""
}

// edits counts the single-byte insertions, deletions, replacements and swaps of neighbours between a and b.
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1) // the two rows above
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = last[j-1]
			if a[i-1] != b[j-1] {
				row[j] = 1 + min(last[j-1], last[j], row[j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// isScalar reports whether a field of this kind holds one value.
func isScalar(k reflect.Kind) bool {
	return k == reflect.String || k == reflect.Bool ||
		k >= reflect.Int && k <= reflect.Uint64 || k == reflect.Float32 || k == reflect.Float64
}

// want says in words what a field takes.
func want(v reflect.Value) string {
	_, text := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch k := v.Kind(); {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return "a duration such as 1.5s, 10m or 72h"
	case v.Type() == reflect.TypeFor[Size]():
		return "a size such as 512KiB or 64MiB"
	case text:
		return "a single value"
	case k == reflect.String:
		return "a text"
	case k == reflect.Bool:
		return "true or false"
	case k == reflect.Float32 || k == reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// describe says in words what the file has.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	default:
		if n.ShortTag() == "!!bool" {
			return n.Value + " (put it in quotes to mean the text)"
		}
		return fmt.Sprintf("%.40q", n.Value)
	}
}

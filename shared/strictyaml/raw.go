package strictyaml

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Raw is a value of any type, kept until the program knows what it should be. Doc.Section reads it.
type Raw struct{ node *yaml.Node }

// IsZero reports whether the file has no value there.
func (r Raw) IsZero() bool { return r.node == nil }

// Decode reads the value into any Go value that the yaml package understands. It checks nothing.
func (r Raw) Decode(into any) error {
	if r.node == nil {
		return nil
	}
	if err := r.node.Decode(into); err != nil {
		return fmt.Errorf("decode line %d: %w", r.node.Line, err)
	}
	return nil
}

// Named is a value under a name, and the path at which the file has it.
type Named struct {
	Name, Path string
	Value      Raw
}

// Section reads values that the file lists under names as if they were the keys of one section: into points to a
// struct with yaml tags. An unknown name is a problem like an unknown key, and so is one that comes twice.
func (d *Doc) Section(list []Named, into any) {
	v := reflect.ValueOf(into).Elem()
	fields := fieldsOf(v.Type())
	seen := map[string]bool{}
	for _, item := range list {
		index, known := fields[item.Name]
		switch {
		case item.Value.node == nil:
			d.Add(item.Path, "%s: the value is missing", item.Name)
		case !known:
			d.Add(item.Path, "%s is not known here%s", item.Name, didYouMean(item.Name, fields))
		case seen[item.Name]:
			d.Add(item.Path, "%s stands here twice", item.Name)
		default:
			d.value(item.Value.node, v.FieldByIndex(index), item.Path)
		}
		seen[item.Name] = true
	}
}

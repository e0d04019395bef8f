package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// value decodes n into v, whatever v is.
func (d *Doc) value(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.problem(n, path, "anchors and aliases are not supported, write the value out")
		return
	}
	if n.ShortTag() == "!!null" {
		d.null(n, v, path)
		return
	}
	if raw, ok := v.Addr().Interface().(*Raw); ok {
		raw.node = n
		return
	}
	if v.Kind() == reflect.Pointer {
		fresh := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			fresh.Elem().Set(v.Elem()) // what it pointed to are the defaults
		}
		d.value(n, fresh.Elem(), path)
		v.Set(fresh)
		return
	}
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok || isScalar(v.Kind()) {
		d.scalar(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.section(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.stringMap(n, v, path)
	default:
		panic(fmt.Sprintf("strictyaml: %s: a field of type %s cannot be decoded", path, v.Type()))
	}
}

// null handles a key with nothing behind it: a section whose lines are all commented out is a section
// with defaults; a single value that is missing is a mistake.
func (d *Doc) null(n *yaml.Node, v reflect.Value, path string) {
	if isScalar(v.Kind()) {
		d.problem(n, path, "the value is missing, want %s", want(v))
	}
}

// section decodes a mapping into a struct.
func (d *Doc) section(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, "want a section of `key: value` lines, not %s", describe(n))
		return
	}
	fields := fieldsOf(v.Type())
	d.pairs(n, path, func(key, val *yaml.Node, path string) {
		index, ok := fields[key.Value]
		if !ok {
			d.problem(key, path, "unknown key%s", didYouMean(key.Value, fields))
			return
		}
		d.value(val, v.FieldByIndex(index), path)
	})
}

// stringMap decodes a mapping into a map with string keys. It replaces what was there.
func (d *Doc) stringMap(n *yaml.Node, v reflect.Value, path string) {
	if v.Type().Key().Kind() != reflect.String {
		panic(fmt.Sprintf("strictyaml: %s: the keys of %s are not strings", path, v.Type()))
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, "want `key: value` lines, not %s", describe(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, path, func(key, val *yaml.Node, path string) {
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(val, element, path)
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), element)
	})
}

// pairs calls f for every key of a mapping that is a plain key seen for the first time.
func (d *Doc) pairs(n *yaml.Node, path string, f func(key, val *yaml.Node, path string)) {
	seen := map[string]int{} // the line of each key
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			d.problem(key, path, "a key must be a plain word")
			continue
		}
		below := key.Value
		if path != "" {
			below = path + "." + key.Value
		}
		if line, again := seen[key.Value]; again {
			d.problem(key, below, "this key stands in line %d already", line)
			continue
		}
		seen[key.Value] = key.Line
		at := val
		if val.Kind != yaml.ScalarNode {
			at = key // where a reader looks for a section
		}
		d.at[below] = position{max(at.Line, 1), max(at.Column, 1)}
		f(key, val, below)
	}
}

// list decodes a sequence into a slice. It replaces what was there: a list is never merged.
func (d *Doc) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, path, "want a list of `- item` lines, not %s", describe(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		below := path + "[" + strconv.Itoa(i) + "]"
		d.at[below] = position{max(item.Line, 1), max(item.Column, 1)}
		if s, ok := v.Index(i).Addr().Interface().(SetDefaulter); ok {
			s.SetDefaults()
		}
		d.value(item, v.Index(i), below)
	}
}

// scalar decodes a single value.
func (d *Doc) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n, path, "want %s, not %s", want(v), describe(n))
		return
	}
	if err := setScalar(n, v); err != nil {
		if errors.Is(err, errType) {
			d.problem(n, path, "want %s, not %s", want(v), describe(n))
			return
		}
		d.problem(n, path, "%v", err)
	}
}

// errType says that a value is of another type than its field.
var errType = errors.New("another type")

// setScalar sets v from a scalar node. An error other than errType explains itself.
func setScalar(n *yaml.Node, v reflect.Value) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(n.Value))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		length, err := time.ParseDuration(n.Value)
		v.SetInt(int64(length))
		return asType(err)
	}
	switch tag := n.ShortTag(); v.Kind() {
	case reflect.String:
		if tag == "!!bool" || tag == "!!binary" {
			return errType
		}
		v.SetString(n.Value) // a number is taken as it was written: a client id may be 007
		return nil
	case reflect.Bool:
		var b bool
		err := decodeAs(n, "!!bool", &b)
		v.SetBool(b)
		return err
	case reflect.Float32, reflect.Float64:
		return setFloat(n, v)
	default:
		return setInt(n, v)
	}
}

func setFloat(n *yaml.Node, v reflect.Value) error {
	var f float64
	if tag := n.ShortTag(); tag != "!!int" && tag != "!!float" || n.Decode(&f) != nil {
		return errType
	}
	if math.IsNaN(f) || math.IsInf(f, 0) || v.OverflowFloat(f) {
		return fmt.Errorf("%s is out of range", n.Value)
	}
	v.SetFloat(f)
	return nil
}

func setInt(n *yaml.Node, v reflect.Value) error {
	if n.ShortTag() != "!!int" {
		return errType
	}
	var i int64
	var u uint64
	signed := n.Decode(&i) == nil
	switch {
	case v.CanInt() && signed && !v.OverflowInt(i):
		v.SetInt(i)
	case v.CanUint() && n.Decode(&u) == nil && !v.OverflowUint(u):
		v.SetUint(u)
	default:
		return fmt.Errorf("%s is out of range", n.Value)
	}
	return nil
}

func decodeAs(n *yaml.Node, tag string, into any) error {
	if n.ShortTag() != tag {
		return errType
	}
	return asType(n.Decode(into))
}

func asType(err error) error {
	if err != nil {
		return errType
	}
	return nil
}

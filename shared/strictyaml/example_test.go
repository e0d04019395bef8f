package strictyaml_test

import (
	"fmt"
	"time"

	"github.com/headwater-iot/headwater/shared/strictyaml"
)

func Example() {
	settings := struct {
		Interval time.Duration   `yaml:"interval"`
		Quota    strictyaml.Size `yaml:"quota"`
	}{Interval: time.Second, Quota: 64 * strictyaml.MiB}

	err := strictyaml.Decode("agent.yaml", []byte("intervall: 5s\nquota: plenty\n"), &settings)
	fmt.Println(err)
	// Output:
	// agent.yaml:1:1: intervall: unknown key (did you mean interval?)
	// agent.yaml:2:8: quota: want a size such as 512KiB or 64MiB, not "plenty"
}

// A program's own checks add to the same list, and point into the file.
func ExampleDoc_Add() {
	settings := struct {
		Interval time.Duration `yaml:"interval"`
	}{Interval: time.Second}

	doc := strictyaml.Parse("agent.yaml", []byte("# often\ninterval: 0s\n"), &settings)
	if settings.Interval <= 0 {
		doc.Add("interval", "must be longer than 0")
	}
	fmt.Println(doc.Err())
	// Output:
	// agent.yaml:2:11: interval: must be longer than 0
}

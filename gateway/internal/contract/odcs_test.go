package contract

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/contract/words"
	"github.com/headwater-iot/headwater/shared/need"
)

// everything uses what the examples do not.
const everything = `apiVersion: v3.1.0
kind: DataContract
id: everything
version: 0.1.0
status: draft
contractCreatedTs: 2026-01-01T00:00:00Z
support: [{channel: "#bench", url: "https://example.org"}]
authoritativeDefinitions: [{type: wiki, url: "https://example.org"}]
servers: [{server: bench, type: custom, description: the lake}]
team: {name: t, members: [{username: a, role: owner, dateIn: "2026-01-01", dateOut: "2026-02-01"}, {username: b, role: owner}]}
schema:
  - name: series
    physicalType: series
    logicalType: object
    quality:
      - {metric: rowCount, mustBeGreaterOrEqualTo: 1}
      - {type: text, description: for people}
      - {type: sql, query: SELECT 1, mustBe: 1}
      - {type: custom, engine: soda, implementation: "x"}
    properties:
      - name: mode
        logicalType: string
        classification: restricted
        tags: [plc]
        examples: [auto]
        logicalTypeOptions: {pattern: "^[a-z]+$", minLength: 1, maxLength: 9}
        customProperties:
          - {property: enum, value: [auto, manual]}
          - {property: pii, value: hash}
          - {property: tool.only, value: {a: [1, null]}}
        quality:
          - {metric: missingValues, arguments: {missingValues: [null, "", n/a]}, mustNotBe: 3, unit: percent}
      - {name: door, logicalType: boolean, customProperties: [{property: stuck, value: 30d}]}
`

// TestContractsAreODCS: what we take, the published schema takes too; and datacontract-cli takes the examples.
func TestContractsAreODCS(t *testing.T) {
	python := need.Datacontract(t)
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(path, []byte(text)); err != nil {
			t.Error(err)
		}
		return path
	}
	examples, err := filepath.Glob(filepath.Join(need.Repo(t), "configs", "contracts", "*.odcs.yaml"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(path, text); err != nil {
			t.Error(err)
		}
	}
	all := append(examples, put("everything.yaml", everything))
	for _, path := range all {
		out, err := run(t, filepath.Join(filepath.Dir(python), "datacontract"), "lint", path)
		if err != nil {
			t.Errorf("datacontract lint %s: %v\n%s", path, err, out)
		}
	}
	all = append(all, put("climate.yaml", climate), put("typical.yaml", textOf(typical)))
	for i, tt := range ruleTests() {
		all = append(all, put(strconv.Itoa(i)+".yaml", textOf(tt.series)))
	}
	t.Run("schema", func(t *testing.T) {
		schema := filepath.Join(need.Data(t), "schemas", "odcs", "odcs-json-schema-v3.1.0.json")
		broken := filepath.Join(dir, "broken.yaml") // the judge must be able to say no
		if err := os.WriteFile(broken, []byte(strings.Replace(climate, "logicalType: number", "logicaltype: number", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := run(t, python, append([]string{"-c", validate, schema}, all...)...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if out, err := run(t, python, "-c", validate, schema, broken); err == nil {
			t.Errorf("a misspelt key was taken: %s", out)
		}
	})
}

const validate = `
import json, sys, yaml
from jsonschema import Draft201909Validator
judge = Draft201909Validator(json.load(open(sys.argv[1])))
class Loader(yaml.SafeLoader): pass
Loader.yaml_implicit_resolvers = {k: [r for r in v if r[0] != "tag:yaml.org,2002:timestamp"] for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
problems = [f"{p}: {e.json_path}: {e.message}" for p in sys.argv[2:] for e in judge.iter_errors(yaml.load(open(p), Loader))]
sys.exit("\n".join(problems) or 0)
`

func run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), program, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func TestWordsAreDefinedOnce(t *testing.T) {
	for _, term := range words.All() {
		of(t, "", extra("glossary", "{"+term.Word+": '"+term.Meaning+"', bench: a table}"))
		_, err := Parse("test.yaml", []byte(textOf("", extra("glossary", "{"+term.Word+": otherwise}"))))
		if err == nil || !strings.Contains(err.Error(), term.Meaning) {
			t.Errorf("%s was defined a second time: %v", term.Word, err)
		}
	}
	if words.Meaning("bench") != "" {
		t.Error("a word of a product has a meaning everywhere")
	}
}

package contract

import (
	"time"

	"github.com/headwater-iot/headwater/shared/strictyaml"
)

// document is an ODCS v3.1 file: every section that its published schema knows. What the gateway has no use for is
// kept as it is, for the catalogue.
type document struct {
	Version    string `yaml:"version"`
	Kind       string `yaml:"kind"`
	APIVersion string `yaml:"apiVersion"`
	ID         string `yaml:"id"`
	Status     string `yaml:"status"`

	Name         string         `yaml:"name"`
	Tenant       string         `yaml:"tenant"`
	Domain       string         `yaml:"domain"`
	DataProduct  string         `yaml:"dataProduct"`
	Created      string         `yaml:"contractCreatedTs"`
	Tags         []string       `yaml:"tags"`
	Description  description    `yaml:"description"`
	Team         team           `yaml:"team"`
	Roles        []role         `yaml:"roles"`
	Levels       []level        `yaml:"slaProperties"`
	LevelDefault string         `yaml:"slaDefaultElement"`
	Schema       []object       `yaml:"schema"`
	Custom       []custom       `yaml:"customProperties"`
	Servers      strictyaml.Raw `yaml:"servers"`
	Support      strictyaml.Raw `yaml:"support"`
	Price        strictyaml.Raw `yaml:"price"`
	Definitions  strictyaml.Raw `yaml:"authoritativeDefinitions"`
}

type description struct {
	Purpose     string         `yaml:"purpose"`
	Limitations string         `yaml:"limitations"`
	Usage       string         `yaml:"usage"`
	Definitions strictyaml.Raw `yaml:"authoritativeDefinitions"`
	Custom      []custom       `yaml:"customProperties"`
}

type team struct {
	ID          string         `yaml:"id"`
	Name        string         `yaml:"name"`
	Description string         `yaml:"description"`
	Members     []member       `yaml:"members"`
	Tags        []string       `yaml:"tags"`
	Custom      []custom       `yaml:"customProperties"`
	Definitions strictyaml.Raw `yaml:"authoritativeDefinitions"`
}

type member struct {
	ID          string         `yaml:"id"`
	Username    string         `yaml:"username"`
	Name        string         `yaml:"name"`
	Description string         `yaml:"description"`
	Role        string         `yaml:"role"`
	In          string         `yaml:"dateIn"`
	Out         string         `yaml:"dateOut"`
	ReplacedBy  string         `yaml:"replacedByUsername"`
	Tags        []string       `yaml:"tags"`
	Custom      []custom       `yaml:"customProperties"`
	Definitions strictyaml.Raw `yaml:"authoritativeDefinitions"`
}

type role struct {
	ID          string   `yaml:"id"`
	Role        string   `yaml:"role"`
	Description string   `yaml:"description"`
	Access      string   `yaml:"access"`
	First       string   `yaml:"firstLevelApprovers"`
	Second      string   `yaml:"secondLevelApprovers"`
	Custom      []custom `yaml:"customProperties"`
}

type level struct {
	ID          string         `yaml:"id"`
	Property    string         `yaml:"property"`
	Value       strictyaml.Raw `yaml:"value"`
	Ext         strictyaml.Raw `yaml:"valueExt"`
	Unit        string         `yaml:"unit"`
	Element     string         `yaml:"element"`
	Driver      string         `yaml:"driver"`
	Description string         `yaml:"description"`
	Scheduler   string         `yaml:"scheduler"`
	Schedule    string         `yaml:"schedule"`
}

type custom struct {
	ID          string         `yaml:"id"`
	Property    string         `yaml:"property"`
	Value       strictyaml.Raw `yaml:"value"`
	Description string         `yaml:"description"`
}

// element is what objects and properties have in common.
type element struct {
	ID           string         `yaml:"id"`
	Name         string         `yaml:"name"`
	PhysicalName string         `yaml:"physicalName"`
	PhysicalType string         `yaml:"physicalType"`
	LogicalType  string         `yaml:"logicalType"`
	Description  string         `yaml:"description"`
	BusinessName string         `yaml:"businessName"`
	Tags         []string       `yaml:"tags"`
	Custom       []custom       `yaml:"customProperties"`
	Quality      []quality      `yaml:"quality"`
	Definitions  strictyaml.Raw `yaml:"authoritativeDefinitions"`
	Relations    strictyaml.Raw `yaml:"relationships"`
}

type object struct {
	element     `yaml:",inline"`
	Granularity string     `yaml:"dataGranularityDescription"`
	Properties  []property `yaml:"properties"`
}

type property struct {
	element           `yaml:",inline"`
	Required          bool           `yaml:"required"`
	Unique            bool           `yaml:"unique"`
	PrimaryKey        bool           `yaml:"primaryKey"`
	PrimaryPosition   int            `yaml:"primaryKeyPosition"`
	Partitioned       bool           `yaml:"partitioned"`
	PartitionPosition int            `yaml:"partitionKeyPosition"`
	Classification    string         `yaml:"classification"`
	EncryptedName     string         `yaml:"encryptedName"`
	Critical          bool           `yaml:"criticalDataElement"`
	Options           options        `yaml:"logicalTypeOptions"`
	Examples          strictyaml.Raw `yaml:"examples"`
	Sources           strictyaml.Raw `yaml:"transformSourceObjects"`
	Logic             string         `yaml:"transformLogic"`
	Transform         string         `yaml:"transformDescription"`
	Items             strictyaml.Raw `yaml:"items"`
	Properties        strictyaml.Raw `yaml:"properties"`
}

type options struct {
	Minimum          *float64 `yaml:"minimum"`
	Maximum          *float64 `yaml:"maximum"`
	ExclusiveMinimum *float64 `yaml:"exclusiveMinimum"`
	ExclusiveMaximum *float64 `yaml:"exclusiveMaximum"`
	MultipleOf       *float64 `yaml:"multipleOf"`
	Pattern          string   `yaml:"pattern"`
	MinLength        *int     `yaml:"minLength"`
	MaxLength        *int     `yaml:"maxLength"`
	Format           string   `yaml:"format"`
}

type quality struct {
	ID          string         `yaml:"id"`
	Name        string         `yaml:"name"`
	Description string         `yaml:"description"`
	Type        string         `yaml:"type"`
	Metric      string         `yaml:"metric"`
	Rule        string         `yaml:"rule"` // the deprecated name of metric
	Arguments   strictyaml.Raw `yaml:"arguments"`
	Dimension   string         `yaml:"dimension"`
	Severity    string         `yaml:"severity"`
	Unit        string         `yaml:"unit"`
	Impact      string         `yaml:"businessImpact"`
	Method      string         `yaml:"method"`
	Schedule    string         `yaml:"schedule"`
	Scheduler   string         `yaml:"scheduler"`
	Query       string         `yaml:"query"`
	Engine      string         `yaml:"engine"`
	Implement   strictyaml.Raw `yaml:"implementation"`
	Tags        []string       `yaml:"tags"`
	Custom      []custom       `yaml:"customProperties"`
	Definitions strictyaml.Raw `yaml:"authoritativeDefinitions"`

	MustBe           *float64  `yaml:"mustBe"`
	MustNotBe        *float64  `yaml:"mustNotBe"`
	MustBeGreater    *float64  `yaml:"mustBeGreaterThan"`
	MustBeAtLeast    *float64  `yaml:"mustBeGreaterOrEqualTo"`
	MustBeLess       *float64  `yaml:"mustBeLessThan"`
	MustBeAtMost     *float64  `yaml:"mustBeLessOrEqualTo"`
	MustBeBetween    []float64 `yaml:"mustBeBetween"`
	MustNotBeBetween []float64 `yaml:"mustNotBeBetween"`
}

// productExtensions are the custom properties of a contract that the gateway acts on.
type productExtensions struct {
	Devices         []string          `yaml:"devices"`
	AllowedLateness Span              `yaml:"allowedLateness"`
	FutureSkew      Span              `yaml:"futureSkew"`
	OnLate          Action            `yaml:"onLate"`
	OnFuture        Action            `yaml:"onFuture"`
	UnknownSeries   string            `yaml:"unknownSeries"`
	Compatibility   string            `yaml:"compatibility"`
	Windows         strictyaml.Raw    `yaml:"windows"`
	Glossary        map[string]string `yaml:"glossary"`
}

// seriesExtensions are the custom properties of a series that the gateway acts on.
type seriesExtensions struct {
	Unit        string            `yaml:"unit"`
	MaxRate     *rateLimit        `yaml:"maxRate"`
	Stuck       Span              `yaml:"stuck"`
	Enum        []word            `yaml:"enum"`
	Every       Span              `yaml:"every"`
	AtMost      *countLimit       `yaml:"atMost"`
	OnViolation Action            `yaml:"onViolation"`
	Actions     map[string]Action `yaml:"actions"`
	PII         string            `yaml:"pii"`
	Anomaly     *anomalyRule      `yaml:"anomaly"`
}

// word is a single value as it was written: a text, a number or a boolean.
type word string

// UnmarshalText takes every word.
func (w *word) UnmarshalText(text []byte) error {
	*w = word(text)
	return nil
}

type rateLimit struct {
	Change float64 `yaml:"change"`
	Per    Span    `yaml:"per"`
}

type countLimit struct {
	Count int  `yaml:"count"`
	Per   Span `yaml:"per"`
}

type anomalyRule struct {
	Method    string  `yaml:"method"`
	Threshold float64 `yaml:"threshold"`
}

// Span is a length of time as contracts write it: what time.ParseDuration reads, and whole days such as 30d.
type Span time.Duration

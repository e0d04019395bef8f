package csvfile_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/headwater-iot/headwater/agent/internal/csvfile"
	"github.com/headwater-iot/headwater/shared/record"
)

// read returns what is in a text: one line for each row, good or bad.
func read(t *testing.T, text string, o csvfile.Options) ([]string, *csvfile.File) {
	t.Helper()
	f, err := csvfile.Open(strings.NewReader(text), int64(len(text)), o)
	if err != nil {
		t.Fatalf("open %.80q: %v", text, err)
	}
	return rowsFrom(t, f, text, f.Start(), math.MaxInt), f
}

func rowsFrom(t *testing.T, f *csvfile.File, text string, at csvfile.Position, most int) (out []string) {
	t.Helper()
	rows := f.Rows(strings.NewReader(text[at.Offset:]), at)
	for range most {
		row, err := rows.Next()
		var bad *csvfile.BadRow
		switch {
		case errors.Is(err, io.EOF):
			return out
		case errors.As(err, &bad):
			out = append(out, fmt.Sprintf("bad %d %s", bad.Line, bad.Reason))
		case err != nil:
			t.Fatal(err)
		default:
			out = append(out, show(row))
		}
	}
	return out
}

func show(row *record.Row) string {
	us := row.Time
	if row.Unit == record.Milli {
		us *= 1000
	}
	s := time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.999999")
	for _, c := range row.Cells {
		v := fmt.Sprint(c.Float)
		switch {
		case c.Null:
			v = fmt.Sprintf("null/%d", c.Quality)
		case c.Kind == record.Int:
			v = fmt.Sprintf("%di", c.Int)
		case c.Kind == record.Uint:
			v = fmt.Sprintf("%du", c.Uint)
		case c.Kind == record.Bool:
			v = fmt.Sprint(c.Int == 1)
		case c.Kind == record.Text:
			v = fmt.Sprintf("%q", c.Text)
		}
		s += " " + c.Series + ":" + c.Unit + "=" + v
	}
	return s
}

func TestDetects(t *testing.T) {
	utc := csvfile.Options{Timezone: "UTC"}
	for name, c := range map[string]struct {
		text string
		o    csvfile.Options
		want string
	}{
		"comma":             {"time,v\n2024-01-02 03:04:05,1.5\n", utc, "2024-01-02T03:04:05 v:=1.5"},
		"semicolon":         {"time;v\n2024-01-02 03:04;1.5\n", utc, "2024-01-02T03:04:00 v:=1.5"},
		"decimal comma":     {"time;v;w\n2024-01-02;1,5;1,234\n", utc, "2024-01-02T00:00:00 v:=1.5 w:=1.234"},
		"tab":               {"time\tv\n2024-01-02T03:04:05Z\t1\n", csvfile.Options{}, "2024-01-02T03:04:05 v:=1"},
		"bar":               {"time|v\n2024-01-02T03:04:05+02:00|1\n", csvfile.Options{}, "2024-01-02T01:04:05 v:=1"},
		"mark and CRLF":     {"\ufefftime,v\r\n2024-01-02T03:04:05Z,1\r\n", csvfile.Options{}, "2024-01-02T03:04:05 v:=1"},
		"quotes":            {"\"time\",\"a \"\"b\"\", c\"\n\"2024-01-02T03:04:05Z\",\"1\"\n", csvfile.Options{}, "2024-01-02T03:04:05 a \"b\", c:=1"},
		"second column":     {"v,Timestamp (UTC)\n1,2024-01-02T03:04:05Z\n", csvfile.Options{}, "2024-01-02T03:04:05 v:=1"},
		"seconds":           {"time,v\n1700000000.25,1\n", csvfile.Options{}, "2023-11-14T22:13:20.25 v:=1"},
		"milliseconds":      {"time,v\n1700000000123,1\n", csvfile.Options{}, "2023-11-14T22:13:20.123 v:=1"},
		"microseconds":      {"time,v\n1700000000123456,1\n", csvfile.Options{}, "2023-11-14T22:13:20.123456 v:=1"},
		"nanoseconds":       {"time,v\n1700000000123456789,1\n", csvfile.Options{}, "2023-11-14T22:13:20.123456 v:=1"},
		"small count":       {"time,v\n86400,1\n", csvfile.Options{TimeFormat: "unix"}, "1970-01-02T00:00:00 v:=1"},
		"points":            {"time,v\n03.02.2024 04:05,1\n", utc, "2024-02-03T04:05:00 v:=1"},
		"day first":         {"time,v\n13/02/2024 04:05,1\n", utc, "2024-02-13T04:05:00 v:=1"},
		"month first":       {"time,v\n2/13/2024 4:05 PM,1\n", utc, "2024-02-13T16:05:00 v:=1"},
		"strftime":          {"time,v\n13.Feb.24 04-05,1\n", csvfile.Options{Timezone: "UTC", TimeFormat: "%d.%b.%y %H-%M"}, "2024-02-13T04:05:00 v:=1"},
		"strftime, parts":   {"time,v\n20240213T040506.25+0100,1\n", csvfile.Options{TimeFormat: "%Y%m%dT%H%M%S.%f%z"}, "2024-02-13T03:05:06.25 v:=1"},
		"Go layout":         {"time,v\n13 Feb 2024 04:05,1\n", csvfile.Options{Timezone: "+01:00", TimeFormat: "02 Jan 2006 15:04"}, "2024-02-13T03:05:00 v:=1"},
		"zone":              {"time,v\n2024-07-01 12:00,1\n", csvfile.Options{Timezone: "Europe/Zurich"}, "2024-07-01T10:00:00 v:=1"},
		"mapping":           {"time,v,w\n2024-01-02,1,2\n", csvfile.Options{Timezone: "UTC", Columns: map[string]csvfile.Column{"w": {Series: "x", Unit: "V"}}}, "2024-01-02T00:00:00 x:V=2"},
		"kinds":             {"time,a,b,c\n2024-01-02,,true,on\n2024-01-02,1e3,FALSE,\"o,\"\"ff\"\"\"\n", utc, "2024-01-02T00:00:00 b:=true c:=\"on\"|2024-01-02T00:00:00 a:=1000 b:=false c:=\"o,\\\"ff\\\"\""},
		"no reading":        {"time,a,b\n2024-01-02,NA,1\n2024-01-02,,\n", utc, "2024-01-02T00:00:00 b:=1|2024-01-02T00:00:00"},
		"NaN":               {"time,a\n2024-01-02,NaN\n2024-01-03,-inf\n", utc, "2024-01-02T00:00:00 a:=null/3|2024-01-03T00:00:00 a:=null/3"},
		"big integers":      {"time,a\n2024-01-02,9007199254740993\n2024-01-02,18446744073709551615\n2024-01-02,9007199254740992\n", utc, "2024-01-02T00:00:00 a:=9007199254740993i|2024-01-02T00:00:00 a:=18446744073709551615u|2024-01-02T00:00:00 a:=9.007199254740992e+15"},
		"blank lines":       {"time,a\n\n2024-01-02,1\n\n\n2024-01-03,2", utc, "2024-01-02T00:00:00 a:=1|2024-01-03T00:00:00 a:=2"},
		"comma at ends":     {"time,a\n2024-01-02,1,\n2024-01-03,2,\n", utc, "2024-01-02T00:00:00 a:=1|2024-01-03T00:00:00 a:=2"},
		"quoted lines":      {"time,a\n2024-01-02,\"one\ntwo\"\n2024-01-03,three\n", utc, "2024-01-02T00:00:00 a:=\"one\\ntwo\"|2024-01-03T00:00:00 a:=\"three\""},
		"same times":        {"time,a\n2024-01-02,1\n2024-01-02,1\n", utc, "2024-01-02T00:00:00 a:=1|2024-01-02T00:00:00 a:=1"},
		"rows of nothing":   {"time;a\n2024-01-02;1\n;\n;;\n", utc, "2024-01-02T00:00:00 a:=1"},
		"names of digits":   {"time,1,2\n2024-01-02,3,4\n", utc, "2024-01-02T00:00:00 1:=3 2:=4"},
		"nothing":           {"time,a\n", utc, ""},
		"codes, no numbers": {"time,a,b\n2024-01-02,1_2,0x1p4\n", utc, "2024-01-02T00:00:00 a:=\"1_2\" b:=\"0x1p4\""},
	} {
		got, _ := read(t, c.text, c.o)
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s: got  %s\nwant %s", name, s, c.want)
		}
	}
}

func TestRefusesToGuess(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "empty",
		"\n\n":                              "empty",
		"\xff\xfet\x00":                     "UTF-16",
		"\x1f\x8b\x08\x00":                  "compressed",
		"2024-01-02 03:04:05,1\n":           "names of columns",
		"1,2,3\n":                           "names of columns",
		"word\n":                            "no comma",
		"a,b\n1,2\n":                        "--time-column",
		"time,\"v\n1,2\n":                   "header",
		"time,v,v\n2024-01-02Z,1,2\n":       "--column",
		"date,time,v\n2024-01-02,03:04,1\n": "two columns",
		"time\tx;y\n2024-01-02\t1;2\n":      "--delimiter",
		"time;v\n2024-01-02;1,234\n":        "--decimal",
		"time;v;w\n2024-01-02;1.5;1,5\n":    "--decimal",
		"time,v\n01/02/2024 03:04,1\n":      "--time-format dmy or mdy",
		"time,v\n86400,1\n":                 "--time-format",
		"time,v\nMonday,1\n":                "--time-format",
		"time,v\n2024-01-02 03:04,1\n":      "--timezone",
		"time,v\xff\n2024-01-02 03:04,1\n":  "UTF-8",
	} {
		_, err := csvfile.Open(strings.NewReader(text), int64(len(text)), csvfile.Options{})
		if !errors.Is(err, csvfile.ErrFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v; want ErrFile that says %q", text, err, want)
		}
	}
	text := "time,v\n2024-01-02 03:04,1\n"
	for _, o := range []csvfile.Options{
		{Timezone: "Middle/Earth"},
		{Timezone: "Local"},
		{Timezone: "UTC", TimeFormat: "%Q"},
		{Timezone: "UTC", TimeFormat: "hello"},
		{Timezone: "UTC", TimeFormat: "2006-01-02 MST"},
		{Timezone: "UTC", TimeFormat: "%Y-%m %H:%M"},
		{Timezone: "UTC", TimeFormat: "%Y"},
		{Timezone: "UTC", TimeFormat: "%d.%m %H:%M"},
		{Timezone: "UTC", TimeFormat: "%Y-%m-%d %I:%M"},
		{Timezone: "UTC", TimeFormat: "2006-01-02 3:04"},
		{Timezone: "UTC", Delimiter: "x"},
		{Timezone: "UTC", Decimal: "x"},
		{Timezone: "UTC", Decimal: ","},
	} {
		if _, err := csvfile.Open(strings.NewReader(text), int64(len(text)), o); !errors.Is(err, csvfile.ErrOption) {
			t.Errorf("%+v: %v, want ErrOption", o, err)
		}
	}
	for _, o := range []csvfile.Options{
		{Timezone: "UTC", TimeColumn: "x"},
		{Timezone: "UTC", Columns: map[string]csvfile.Column{"x": {Series: "x"}}},
		{Timezone: "UTC", Columns: map[string]csvfile.Column{"v": {Series: strings.Repeat("x", 300)}}},
	} {
		if _, err := csvfile.Open(strings.NewReader(text), int64(len(text)), o); !errors.Is(err, csvfile.ErrFile) {
			t.Errorf("%+v: %v, want ErrFile", o, err)
		}
	}
}

func TestBadRowsCostNoOther(t *testing.T) {
	text := "time,v,w\n" +
		"2024-01-02 00:00,1,a\n" +
		"2024-02-30 00:00,1,a\n" + // 3
		"2024-01-02 24:00,1,a\n" + // 4
		"2024-01-02 00:00,12 mV,a\n" + // 5
		"2024-01-02 00:00,1\n" + // 6
		"2024-01-02 00:00,1,a,b\n" + // 7
		"2024-01-02 00:00,1,\"a\n" + // 8: the quote does not end
		"2024-01-02 00:00,1,\xff\n" + // 9
		",1,a\n" + // 10
		"2024-01-02 00:00,1e999,a\n" + // 11
		"2024-01-02 00:00,2,b\n"
	got, _ := read(t, text, csvfile.Options{Timezone: "UTC"})
	want := `2024-01-02T00:00:00 v:=1 w:="a"|bad 3 time|bad 4 time|bad 5 value|bad 6 fields|bad 7 fields|bad 8 quote|` +
		`bad 9 value|bad 10 time|bad 11 value|2024-01-02T00:00:00 v:=2 w:="b"`
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// A file that is all wrong is told of row by row, and must not fill the memory.
func TestReasonsAreShort(t *testing.T) {
	text := "time,v\n2024-01-02,1\n2024-01-02," + strings.Repeat("ä", 100_000) + "\n"
	f, err := csvfile.Open(strings.NewReader(text), int64(len(text)), csvfile.Options{Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	rows := f.Rows(strings.NewReader(text[f.Start().Offset:]), f.Start())
	_, _ = rows.Next()
	_, err = rows.Next()
	var bad *csvfile.BadRow
	if !errors.As(err, &bad) || utf8.RuneCountInString(bad.Detail) > 200 || !utf8.ValidString(bad.Detail) {
		t.Errorf("%.300v", err)
	}
}

// A count that is found to be of milliseconds says nothing of one that can only be seconds, or of a clock that was not set.
func TestCountsOfAnotherSizeAreBad(t *testing.T) {
	text := "time,v\n1700000000000,1\n1700000001000,2\n1700000002,3\n35,4\n1700000003000,5\n"
	got, _ := read(t, text, csvfile.Options{})
	if s := strings.Join(got, "|"); s != "2023-11-14T22:13:20 v:=1|2023-11-14T22:13:21 v:=2|bad 4 time|bad 5 time|2023-11-14T22:13:23 v:=5" {
		t.Error(s)
	}
	if got, _ := read(t, text, csvfile.Options{TimeFormat: "unix_ms"}); got[2] != "1970-01-20T16:13:20.002 v:=3" {
		t.Errorf("what was asked for is not done: %q", got)
	}
}

func TestQuoteThatDoesNotEnd(t *testing.T) {
	text := "time,v\n2024-01-02,1\n2024-01-02,\"2\n" + strings.Repeat("2024-01-02,3\n", 200_000) + "2024-01-02," + strings.Repeat("x", 3<<20) + "\n2024-01-02,4\n"
	got, _ := read(t, text, csvfile.Options{Timezone: "UTC"})
	if len(got) < 200_003 || got[1] != "bad 3 quote" || got[2] != "2024-01-02T00:00:00 v:=3" || got[len(got)-1] != "2024-01-02T00:00:00 v:=4" {
		t.Errorf("%d rows: %q ... %q", len(got), got[:3], got[len(got)-1])
	}
	if last := got[len(got)-2]; last != "bad 200004 fields" && last != "bad 200004 quote" {
		t.Errorf("the long line is %q", last)
	}
}

// TestClocksThatChange walks the hours in which the clocks of Zurich change.
func TestClocksThatChange(t *testing.T) {
	file := func(local ...string) string { return "time,v\n" + strings.Join(local, ",1\n") + ",1\n" }
	o := csvfile.Options{Timezone: "Europe/Zurich"}
	for name, c := range map[string]struct {
		local []string
		want  string
	}{
		"autumn, upwards":   {[]string{"2024-10-27 01:30", "2024-10-27 02:00", "2024-10-27 02:30", "2024-10-27 02:00", "2024-10-27 02:30", "2024-10-27 03:00"}, "23:30 00:00 00:30 01:00 01:30 02:00"},
		"autumn, downwards": {[]string{"2024-10-27 03:30", "2024-10-27 03:00", "2024-10-27 02:30", "2024-10-27 02:00", "2024-10-27 02:30", "2024-10-27 02:00", "2024-10-27 01:30"}, "02:30 02:00 01:30 01:00 00:30 00:00 23:30"},
		"autumn, hourly":    {[]string{"2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"}, "23:00 00:00 01:00 02:00"},
		"hourly, downwards": {[]string{"2024-10-27 03:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 01:00"}, "02:00 01:00 00:00 23:00"},
		"two rows a time":   {[]string{"2024-10-27 01:00", "2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00"}, "23:00 23:00 00:00 00:00"},
		"a row twice":       {[]string{"2024-10-27 01:55", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 02:05", "2024-10-27 02:00"}, "23:55 00:00 00:00 00:05 01:00"},
		"autumn, once":      {[]string{"2024-10-27 02:30", "2024-10-27 03:30"}, "00:30 02:30"},
		"spring":            {[]string{"2024-03-31 01:30", "2024-03-31 02:30", "2024-03-31 03:00"}, "00:30 bad 3 time 01:00"},
		"far from both":     {[]string{"2024-01-01 12:00", "2024-07-01 12:00"}, "11:00 10:00"},
	} {
		got, _ := read(t, file(c.local...), o)
		for i, s := range got {
			if !strings.HasPrefix(s, "bad") {
				got[i] = s[11:16]
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}

func TestRowsFromAnyPosition(t *testing.T) {
	text := "time,v\n2024-10-27 02:30,\"1\n2\"\n2024-10-27 02:00,x\n\n2024-10-27 02:30,\"y\n2024-10-27 02:30,2\nnever,1\n2024-10-27 02:10,4\n"
	o := csvfile.Options{Timezone: "Europe/Zurich"}
	all, f := read(t, text, o)
	rows := f.Rows(strings.NewReader(text[f.Start().Offset:]), f.Start())
	for i := range all {
		at := rows.Position()
		got := rowsFrom(t, f, text, at, math.MaxInt)
		if strings.Join(got, "|") != strings.Join(all[i:], "|") {
			t.Errorf("from row %d: %q, want %q", i, got, all[i:])
		}
		_, _ = rows.Next()
	}
}

func FuzzRows(f *testing.F) {
	f.Add("time,v\n2024-01-02 03:04,1\n2024-01-02 03:04,\"1\n")
	f.Add("time;v;w\n1700000000;1,5;x\n1700000001;\"a\"\"\n\";y\n;;\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := csvfile.Open(strings.NewReader(text), int64(len(text)), csvfile.Options{Timezone: "Europe/Zurich"})
		if err != nil {
			return
		}
		all := rowsFrom(t, file, text, file.Start(), math.MaxInt)
		rows := file.Rows(strings.NewReader(text[file.Start().Offset:]), file.Start())
		for range len(all) / 2 {
			_, _ = rows.Next()
		}
		rest := rowsFrom(t, file, text, rows.Position(), math.MaxInt)
		if got := strings.Join(rest, "|"); got != strings.Join(all[len(all)/2:], "|") {
			t.Errorf("from row %d: %q, from the start %q", len(all)/2, got, all[len(all)/2:])
		}
	})
}

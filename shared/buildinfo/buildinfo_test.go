package buildinfo

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	built := func(pairs ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{}
		for i := 0; i < len(pairs); i += 2 {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return info
	}
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, c := range []struct {
		name, linked string
		info         *debug.BuildInfo
		want         string
	}{
		{"a release", "v1.2.3", built("vcs.revision", commit), "v1.2.3"},
		{"go build in a clone", "", built("vcs.revision", commit), "devel-0123456789ab"},
		{"go build with changes", "", built("vcs.revision", commit, "vcs.modified", "true"), "devel-0123456789ab-dirty"},
		{"go build outside a clone", "", built(), "devel"},
		{"no build information", "", nil, "devel"},
	} {
		if got := version(c.linked, c.info); got != c.want {
			t.Errorf("%s: version is %q, want %q", c.name, got, c.want)
		}
	}
	if got := Line("headwater-agent"); !strings.HasPrefix(got, "headwater-agent "+Version()+" (go") {
		t.Errorf("Line is %q", got)
	}
}

// Package buildinfo says which build of the program is running.
//
// Promise: the answer is never empty and never a guess. It is what the release build linked in, else the
// commit that the Go tool recorded, else "devel" (TestVersion).
package buildinfo

import (
	"runtime"
	"runtime/debug"
)

// linked is set by the release build:
//
//	-ldflags "-X github.com/headwater-iot/headwater/shared/buildinfo.linked=v1.2.3"
var linked string

// Version returns the version of the running program.
func Version() string {
	info, _ := debug.ReadBuildInfo()
	return version(linked, info)
}

// Line returns what `program version` prints.
func Line(program string) string {
	return program + " " + Version() + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}

func version(linked string, info *debug.BuildInfo) string {
	if linked != "" {
		return linked
	}
	if info == nil {
		return "devel"
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = "-" + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return "devel" + commit + dirty
}

package machine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs/sysfstest"
)

func none(string) (space, error) { return space{}, os.ErrNotExist }

func TestThrottlingAndWear(t *testing.T) {
	for _, name := range []string{"pi5", "mainline"} {
		t.Run(name, func(t *testing.T) {
			root, golden := sysfstest.Unpack(t, name)
			m, err := find(Settings{Root: root}, none)
			if err != nil {
				t.Fatal(err)
			}
			cells, err := m.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(golden, lines(cells)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(len(cells), len(m.Announce())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBadFilesOfThrottlingAndWear costs their own readings and no other, and none is made up.
func TestBadFilesOfThrottlingAndWear(t *testing.T) {
	root, golden := sysfstest.Unpack(t, "pi5")
	m, err := find(Settings{Root: root}, none)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct{ path, text, series string }{
		{"sys/devices/platform/soc/soc:firmware/get_throttled", "nonsense", "under_voltage frequency_capped throttled temperature_limited"},
		{"sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq", "<unknown>", "cpu_frequency"},
		{"sys/block/mmcblk0/device/life_time", "0x01 0x02 0x03", "mmcblk0_life_used"},
		{"sys/block/mmcblk0/device/life_time", "0xff 0x00", "mmcblk0_life_used"},
		{"sys/block/mmcblk0/device/pre_eol_info", "", "mmcblk0_pre_eol"},
		{"sys/block/mmcblk0/device/pre_eol_info", "0x07", "mmcblk0_pre_eol"},
		{"sys/block/mmcblk0/device/pre_eol_info", "a pipe", "mmcblk0_pre_eol"},
	} {
		path := filepath.Join(root, bad.path)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if bad.text == "a pipe" {
			err = syscall.Mkfifo(path, 0o600)
		} else {
			err = os.WriteFile(path, []byte(bad.text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		for line := range strings.Lines(golden) {
			spoilt := false
			for prefix := range strings.FieldsSeq(bad.series) {
				spoilt = spoilt || strings.HasPrefix(line, prefix)
			}
			if !spoilt {
				want += line
			}
		}
		cells, err := m.Read(t.Context())
		if diff := cmp.Diff(want, lines(cells)); diff != "" || err == nil {
			t.Errorf("%s %q: %v\n%s", bad.path, bad.text, err, diff)
		}
		if err := errors.Join(os.Remove(path), os.WriteFile(path, good, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that cannot be read any more is no alarm that is off, and no sum without it.
func TestWhatFailsIsNoValue(t *testing.T) {
	root, _ := sysfstest.Unpack(t, "mainline")
	m, err := find(Settings{Root: root}, none)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		"sys/class/hwmon/hwmon2/in0_lcrit_alarm", "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count",
	} {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cells, err := m.Read(t.Context())
	if diff := cmp.Diff("mmcblk2_life_used_a [%] int 30\n", lines(cells)); err == nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

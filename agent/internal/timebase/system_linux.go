package timebase

import (
	"time"

	"golang.org/x/sys/unix"
)

// System returns the clock of this machine.
func System() (*Clock, error) {
	boot, err := ReadBoot(BootPath)
	if err != nil {
		return nil, err
	}
	return New(boot, Source{Monotonic: boottime, Wall: wall, Sync: kernelSync}), nil
}

func boottime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		// It exists since Linux 2.6.39; Go itself needs 3.2.
		panic("timebase: read CLOCK_BOOTTIME: " + err.Error())
	}
	return ts.Nano() / 1000
}

func wall() int64 { return time.Now().UnixMicro() }

// kernelSync asks the kernel whether somebody disciplines its clock. Where the
// question is forbidden (seccomp), the clock counts as undisciplined.
func kernelSync() (int64, bool) {
	var t unix.Timex // Modes 0: read only, needs no privilege
	if _, err := unix.Adjtimex(&t); err != nil || t.Status&unix.STA_UNSYNC != 0 {
		return 0, false
	}
	return int64(t.Maxerror), true
}

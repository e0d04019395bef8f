package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/outbox"
	"github.com/headwater-iot/headwater/shared/durable"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

// volatileQuota bounds what is kept in memory for want of a data directory.
const volatileQuota = 4 * strictyaml.MiB

// volatileName behind the name of a data directory names what stands in for it.
const volatileName = "/volatile"

// takeData takes the data directory for this agent and learns whose it is.
func (a *App) takeData(ctx context.Context) error {
	err := a.patiently(ctx, a.takeDir)
	if unwritable(err) {
		return a.takeMemory(err)
	}
	return err
}

// unwritable reports an error of a card that the kernel has made read-only, that fails, or that is full.
func unwritable(err error) bool {
	for _, e := range []error{syscall.EROFS, syscall.EIO, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// takeMemory takes a directory on tmpfs instead of one that cannot be written, and says so. What lies in that one is
// left as it is. The epochs in memory are a lineage of their own, for the card's cannot be told of them.
func (a *App) takeMemory(err error) error {
	s := &a.settings
	if text, err := os.ReadFile(filepath.Join(s.Data, "device")); err == nil {
		if known := strings.TrimSpace(string(text)); record.CheckDevice(known) == nil && !s.Named {
			s.Device = known
		}
	}
	tmpfs := ringDir(s.RunDir, s.Device, s.Data+volatileName)
	if tmpfs == "" {
		return fmt.Errorf("%w; nor is there a tmpfs to keep readings in meanwhile: run_dir %s", err, s.RunDir)
	}
	if a.lock != nil { // it failed behind its lock
		_ = a.lock.Close()
		a.lock = nil
	}
	a.log.Error("the data directory cannot be written; readings are kept in memory until a reboot, and what it holds waits",
		"data", s.Data, "instead", tmpfs, "error", err)
	a.health.Raise(&health.Condition{
		Code: "data-not-writable", Severity: health.Error,
		Title: "The data directory cannot be written; readings do not survive a reboot",
	}, err.Error())
	a.memory, s.Data, s.Outbox.Quota = true, tmpfs, min(s.Outbox.Quota, volatileQuota)
	return a.takeDir()
}

// While files or memory are short it is tried again after these pauses.
const scarcePause, longestScarcePause = time.Second, time.Minute

// patiently tries again while there are too few file descriptors or too little memory: what cannot be opened now is as
// good as ever, and a service manager that restarts us gives up before long.
func (a *App) patiently(ctx context.Context, open func() error) error {
	for pause := scarcePause; ; pause = min(2*pause, longestScarcePause) {
		err := open()
		if !scarce(err) {
			return err
		}
		a.log.Error("what is stored cannot be opened now; no reading is taken until it can be", "tried_again_in", pause, "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func scarce(err error) bool {
	return errors.Is(err, outbox.ErrScarce) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// openOutbox opens the outbox, in memory if there is no room for a new one on the card.
func (a *App) openOutbox(ctx context.Context, config outbox.Config) error {
	open := func() (err error) {
		a.outbox, err = outbox.Open(config)
		return err
	}
	err := a.patiently(ctx, open)
	if !unwritable(err) || a.memory {
		return err
	}
	if err := a.takeMemory(err); err != nil {
		return err
	}
	there := a.outboxConfig()
	there.Rate, there.OriginalTimes = config.Rate, config.OriginalTimes // what the sensors have set
	config = there
	return a.patiently(ctx, open)
}

// lookBehind names readings that an earlier process kept in memory, now that the card can be written again.
func (a *App) lookBehind() {
	if a.memory {
		return
	}
	dir := ringDir(a.settings.RunDir, a.settings.Device, a.settings.Data+volatileName)
	if dir == "" {
		return
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "outbox", "*.seg")); len(left) > 0 {
		a.log.Warn("readings were kept in memory while the data directory could not be written, and end with this boot; "+
			"to send them, stop this agent and run one with data: set to that directory and sensors: []", "directory", dir)
		return
	}
	_ = os.Remove(dir) // it was made by looking for it, or it holds something else
}

func (a *App) takeDir() (err error) {
	s := a.settings
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w (choose another with data: or --data)", err)
	}
	if a.lock, err = durable.LockFile(filepath.Join(s.Data, "lock")); err != nil {
		return fmt.Errorf("data directory %s: %w (each agent needs its own: --data)", s.Data, err)
	}
	device, err := identity(s, a.log)
	if err != nil {
		_ = a.lock.Close() // it may be taken again
		a.lock = nil
		return err
	}
	a.settings.Device = device
	return nil
}

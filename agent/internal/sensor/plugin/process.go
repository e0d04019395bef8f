package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

const (
	// readGrace and stopGrace are how long the pipes of a process that was ended may stay open: a grandchild that
	// left the group may hold them. A read must be over before the sampler calls it hung.
	readGrace, stopGrace = 100 * time.Millisecond, time.Second
	// mostStderr bounds a line of the log.
	mostStderr = 1024
)

// output is a Writer that must be told when all has come.
type output interface {
	io.Writer
	Flush() error
}

// ender ends the process whose output is not taken any more: it would wait for its pipe for ever.
type ender struct {
	io.Writer
	end context.CancelCauseFunc
}

// Write implements io.Writer.
func (e ender) Write(p []byte) (int, error) {
	n, err := e.Writer.Write(p)
	if err != nil {
		e.end(err)
	}
	return n, err
}

// run runs the command until it ends by itself, ctx ends, or take has had enough. Nothing of its group is left
// then. Gentle asks it to end before it is killed.
func (p *Plugin) run(ctx context.Context, gentle bool, take func(item []byte, err error) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var out output = &splitter{most: p.settings.maxLine(), take: take}
	if p.settings.Format == CBOR {
		out = &sequence{most: p.settings.maxLine(), take: take}
	}
	cmd := exec.CommandContext(ctx, p.settings.Command[0], p.settings.Command[1:]...)
	cmd.Env, cmd.Dir = p.settings.environment(), p.settings.Dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	stderr := &splitter{most: mostStderr, take: p.complain}
	cmd.Stdout, cmd.Stderr = ender{out, cancel}, stderr
	cmd.WaitDelay = readGrace
	if gentle {
		cmd.WaitDelay = stopGrace
	}
	group(cmd, gentle)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start plug-in: %w", err)
	}
	err := cmd.Wait()
	kill(cmd) // what it started and left behind
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("plug-in %s was ended: %w", p.settings.Command[0], cause)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		// It ended well, and something that left its group did not, or the outbox took no row for too long.
		p.lines[reasonCut].Inc()
		err = nil
	}
	if flushed := errors.Join(out.Flush(), stderr.Flush()); err == nil {
		err = flushed
	}
	if err != nil {
		return fmt.Errorf("plug-in %s: %w", p.settings.Command[0], err)
	}
	return nil
}

// complain gives what a plug-in says on its standard error to the log.
func (p *Plugin) complain(line []byte, err error) error {
	held, ok := p.stderr.allow()
	switch {
	case !ok:
	case err != nil:
		p.config.Logger.Warn("plug-in complains at length", "sensor", p.config.Name, "held_back", held, "error", err)
	default:
		p.config.Logger.Warn("plug-in complains", "sensor", p.config.Name, "held_back", held, "line", string(line))
	}
	return nil // whatever it says, it goes on
}

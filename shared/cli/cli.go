package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	OK     = 0
	Failed = 1
	Usage  = 2
	Config = 78
)

// ErrConfig marks a configuration that was refused: wrap it to exit with Config.
var ErrConfig = errors.New("configuration refused")

// Command is one subcommand.
type Command struct {
	Name    string
	Args    string // what stands behind the name in usage, "" = nothing
	Summary string // one line
	Hidden  bool
	Sub     []Command // commands below this one, which then has no Run
	// Run adds its flags to fs, calls parse, and does the work. parse returns the positional arguments.
	Run func(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error
}

// Exit ends a command with a status of its own: the outcome is the status, and what there is to say has been printed.
type Exit int

// Error names the status.
func (e Exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// errUsage says that what was wrong has been printed.
var errUsage = errors.New("usage")

// Main runs the command that args name and returns the exit status. The context of the command ends with the
// first SIGINT or SIGTERM; the second ends the process at once.
func Main(program string, commands []Command, args []string, out, errout io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal finds no handler
	return dispatch(ctx, program, commands, args, out, errout)
}

func dispatch(ctx context.Context, program string, commands []Command, args []string, out, errout io.Writer) int {
	if len(args) > 1 && args[0] == "help" {
		args = append(args[1:len(args):len(args)], "-h")
	}
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		printCommands(program, commands, errout)
		if len(args) == 0 {
			return Usage
		}
		return OK
	}
	for _, c := range commands {
		if c.Name == args[0] && c.Sub != nil {
			return dispatch(ctx, program+" "+c.Name, c.Sub, args[1:], out, errout)
		}
		if c.Name == args[0] {
			return status(program, c.Name, one(ctx, program, c, args[1:], out, errout), errout)
		}
	}
	fmt.Fprintf(errout, "%s: unknown command %q\n\n", program, args[0])
	printCommands(program, commands, errout)
	return Usage
}

func one(ctx context.Context, program string, c Command, args []string, out, errout io.Writer) error {
	fs := flag.NewFlagSet(program+" "+c.Name, flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.Usage = func() {
		fmt.Fprintf(errout, "usage: %s %s %s\n%s\n", program, c.Name, c.Args, c.Summary)
		fs.PrintDefaults()
	}
	parse := func() ([]string, error) { return interleaved(fs, args) }
	return c.Run(ctx, fs, parse, out)
}

// interleaved parses flags wherever they stand; flag itself stops at the first positional argument.
func interleaved(fs *flag.FlagSet, args []string) ([]string, error) {
	var positional []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, errors.Join(errUsage, err)
		}
		if fs.NArg() == 0 {
			return positional, nil
		}
		positional = append(positional, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// BadUsage returns the error of a command that was called in a way it cannot serve.
func BadUsage(fs *flag.FlagSet, format string, args ...any) error {
	fmt.Fprintf(fs.Output(), "%s: %s\n", fs.Name(), fmt.Sprintf(format, args...))
	fs.Usage()
	return errUsage
}

func status(program, command string, err error, errout io.Writer) int {
	var exit Exit
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return OK
	case errors.Is(err, errUsage):
		return Usage
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintf(errout, "%s %s: %v\n", program, command, err)
	if errors.Is(err, ErrConfig) {
		return Config
	}
	return Failed
}

func printCommands(program string, commands []Command, w io.Writer) {
	fmt.Fprintf(w, "usage: %s COMMAND [flags]\n\ncommands:\n", program)
	for _, c := range commands {
		if !c.Hidden {
			fmt.Fprintf(w, "  %-9s %s\n", c.Name, c.Summary)
		}
	}
	fmt.Fprintf(w, "\n%s COMMAND -h tells more.\n", strings.TrimSpace(program))
}

package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	commands := []Command{
		{Name: "echo", Args: "WORD...", Summary: "print words", Run: func(_ context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
			loud := fs.Bool("loud", false, "in capitals")
			words, err := parse()
			if err != nil {
				return err
			}
			if len(words) == 0 {
				return BadUsage(fs, "no WORD given")
			}
			text := strings.Join(words, " ")
			if *loud {
				text = strings.ToUpper(text)
			}
			fmt.Fprintln(out, text)
			return nil
		}},
		{Name: "fail", Summary: "fail", Run: func(context.Context, *flag.FlagSet, func() ([]string, error), io.Writer) error {
			return errors.New("the disk is full")
		}},
		{Name: "group", Summary: "a group", Sub: []Command{
			{Name: "differ", Args: "A B", Summary: "say how two differ", Run: func(_ context.Context, _ *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
				if _, err := parse(); err != nil {
					return err
				}
				fmt.Fprintln(out, "they differ")
				return Exit(3)
			}},
		}},
		{Name: "refuse", Hidden: true, Run: func(context.Context, *flag.FlagSet, func() ([]string, error), io.Writer) error {
			return fmt.Errorf("%w: line 3", ErrConfig)
		}},
	}
	tests := []struct {
		args        string
		status      int
		out, errout string
	}{
		{"echo a b", OK, "a b\n", ""},
		{"echo --loud a", OK, "A\n", ""},
		{"echo a --loud b", OK, "A B\n", ""},
		{"echo", Usage, "", "no WORD given"},
		{"echo --quiet a", Usage, "", "flag provided but not defined"},
		{"echo -h", OK, "", "usage: prog echo WORD..."},
		{"fail", Failed, "", "prog fail: the disk is full"},
		{"refuse", Config, "", "configuration refused: line 3"},
		{"group differ", 3, "they differ\n", ""},
		{"group differ -h", OK, "", "usage: prog group differ A B"},
		{"group", Usage, "", "usage: prog group COMMAND"},
		{"group -h", OK, "", "say how two differ"},
		{"group nothing", Usage, "", `prog group: unknown command "nothing"`},
		{"", Usage, "", "commands:"},
		{"help", OK, "", "print words"},
		{"nothing", Usage, "", `unknown command "nothing"`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var out, errout bytes.Buffer
			status := Main("prog", commands, strings.Fields(tt.args), &out, &errout)
			if status != tt.status || out.String() != tt.out || !strings.Contains(errout.String(), tt.errout) {
				t.Errorf("status %d, out %q, errout %q", status, out.String(), errout.String())
			}
			if strings.Contains(errout.String(), "refuse   ") {
				t.Error("a hidden command is listed")
			}
		})
	}
}

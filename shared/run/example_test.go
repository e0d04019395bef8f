package run_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/headwater-iot/headwater/shared/run"
)

func ExampleRun() {
	open := make(chan struct{})
	err := run.Run(context.Background(), slog.New(slog.DiscardHandler),
		run.Stage{Name: "log", Ready: open, Run: func(ctx context.Context) error {
			fmt.Println("log is open")
			close(open)
			<-ctx.Done()
			fmt.Println("log is closed")
			return nil
		}},
		run.Stage{Name: "intake", Run: func(context.Context) error {
			return errors.New("listen 127.0.0.1:1883: address in use")
		}})
	fmt.Println(err)
	// Output:
	// log is open
	// log is closed
	// intake: listen 127.0.0.1:1883: address in use
}

// Package service is a program's side of its service manager: sd_notify and the watchdog of systemd.
//
// A Manager tells the service manager that the program is up, what it does, and that it goes on. Every stage
// shows its progress on a Pulse: Due says when it shows up again at the latest, Rest that it waits for work
// and owes nothing. So an idle stage costs no wake-up and is healthy, and one that hangs is overdue: by
// Grace, which is long enough for a bad SD card. While a stage is overdue the watchdog is not fed, a health
// condition names the stage, and the service manager kills the program after its WatchdogSec.
//
// Promises:
//   - READY comes when the stage of Serve runs, STOPPING when it ends (TestTellsTheServiceManager).
//   - The watchdog is fed while all pulses are in time, idle ones included, and not while one is overdue;
//     a stage that goes on again is fed again (TestFeedStopsWhenAStageHangs).
//   - A start is given time as long as the stages that are up go on (TestLongStartIsGivenTime).
//   - Without a service manager nothing is sent, and the condition still shows (TestWithoutAManager).
//
// What can be lost: a message that the manager does not take; it is logged once. Stages whose goroutine has
// ended are not this package's matter: package run ends the program with them.
package service

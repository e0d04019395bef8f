// Package health keeps the conditions an operator should know about.
//
// A Condition is declared next to the code that can raise it, with a stable code, a title, a severity
// and how long it must last before it is shown (its hold). Raising is cheap and may be repeated; a
// condition that clears within its hold was never seen. A shown condition is logged once when it
// shows and once when it clears.
//
// Promise: the snapshot holds exactly the conditions that have been up for their hold, sorted
// (TestHoldDown, TestSnapshotIsSorted), and each change is logged once (TestLogOnTransition).
// What can be lost: conditions are not kept over a restart; whoever raised one raises it again.
// A nil *Board takes all calls and shows nothing: tests pass nil.
package health

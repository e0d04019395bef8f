// Package e2e runs the real binaries against each other and asks independent
// readers what landed. It imports nothing of agent or gateway: what it knows it learns
// from command lines, files and sockets, as a user does.
//
// Promise proved here: accepted = landed + quarantined + gaps + pending, with
// landed values equal to the source bit for bit and no (device, epoch, seq)
// twice, whatever was killed on the way (TestKills), and however full or broken
// the disks are, of the gateway (TestLogDiskFull, TestLakeDiskFull,
// TestReadOnlyDisks) and of the agent (TestCardFull, TestCardTooSmall,
// TestCardReadOnly, TestCardDeleted, TestCardGarbled). Negative controls show
// that the harness can see a loss.
package e2e

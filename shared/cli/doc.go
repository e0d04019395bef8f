// Package cli is the little that two command lines share: a table of
// subcommands over the standard flag package, and exit statuses.
//
// A command may have commands below it, and a command whose outcome is more than
// yes or no may end with a status of its own (Exit).
//
// Promises: flags may stand before or behind the positional arguments; an
// unknown command or flag prints usage on stderr and exits 2; a failed command
// prints one line, "program command: error", and exits 1; a configuration that
// is refused exits 78 (EX_CONFIG of sysexits.h), so that a service manager does
// not restart it. Proved by TestCommands.
package cli

//go:build !linux

package volatile

// Tmpfs reports whether an existing directory is on tmpfs; other systems have none.
func Tmpfs(string) bool { return false }

func why(string) string { return "" }

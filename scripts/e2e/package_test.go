package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// output runs a command and returns what it printed; status is what it has to end with.
func output(t *testing.T, status int, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		t.Fatalf("%s: %v, want status %d\n%s", strings.Join(command, " "), err, status, tail(string(out), 4000))
	}
	return string(out)
}

// packed builds packages out of a copy of what is in the repository, and returns the files.
func packed(t *testing.T, specs ...string) []string {
	t.Helper()
	repo, copied, out := need.Repo(t), t.TempDir(), t.TempDir()
	// Files that are not committed yet belong to it; a file that is deleted and not committed yet does not.
	output(t, 0, "bash", "-c", `cd "$1" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d "" f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done |
		tar --create --null --files-from=- | tar --extract --directory="$2"`, "-", repo, copied)
	pack := exec.Command(filepath.Join(copied, "scripts", "package.sh"), specs...)
	pack.Env = append(os.Environ(), "OUT="+out, "AGENT_TAGS=nethttpomithttp2", "PACKAGE_VERSION=1.2.3", "SOURCE_DATE_EPOCH=1767225600")
	if text, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("package.sh: %v\n%s", err, tail(string(text), 4000))
	}
	files, err := filepath.Glob(filepath.Join(out, "headwater-*"))
	if err != nil || len(files) != len(specs) {
		t.Fatalf("packages %q: %q, %v", specs, files, err)
	}
	return files
}

// unpacked unpacks a .deb and returns its tree and its maintainer scripts.
func unpacked(t *testing.T, deb string) (root, control string) {
	t.Helper()
	tool := need.Tool(t, "dpkg-deb", "apt-get install dpkg")
	root, control = t.TempDir(), t.TempDir()
	output(t, 0, tool, "-x", deb, root)
	output(t, 0, tool, "-e", deb, control)
	return root, control
}

// TestPackageForARM builds the package for the smallest boards twice, in two places, and runs what is in it.
func TestPackageForARM(t *testing.T) {
	qemu := need.Tool(t, "qemu-arm", "apt-get install qemu-user")
	specs := []string{"agent:deb:arm/6:armhf", "agent:rpm:arm/6:armv6hl", "agent:ipk:arm/6:arm_arm1176jzf-s_vfp"}
	first, second := packed(t, specs...), packed(t, specs...)
	for i := range first {
		a, errA := os.ReadFile(first[i])
		b, errB := os.ReadFile(second[i])
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s is not the same when it is built again elsewhere: %v %v", filepath.Base(first[i]), errA, errB)
		}
	}
	root, control := unpacked(t, first[slices.IndexFunc(first, func(f string) bool { return strings.HasSuffix(f, ".deb") })])
	agent := filepath.Join(root, "usr", "bin", "headwater-agent")
	if got := output(t, 0, qemu, agent, "version"); !strings.Contains(got, "linux/arm") {
		t.Errorf("version says %q", got)
	}
	output(t, 0, qemu, agent, "check", "--config", filepath.Join(root, "etc", "headwater", "agent.yaml"))
	sim := filepath.Join(need.Repo(t), "configs", "agent.sim.yaml")
	output(t, 0, qemu, agent, "check", "--config", sim)
	if got := output(t, 0, qemu, agent, "selftest", "--config", sim); !strings.Contains(got, "air") {
		t.Errorf("selftest says %q", got)
	}
	// Negative control: a misspelt key ends check with the status that keeps a service manager from trying again.
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(wrong, []byte("sensor: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	output(t, 78, qemu, agent, "check", "--config", wrong)
	if got := output(t, 0, "cat", filepath.Join(control, "conffiles")); strings.TrimSpace(got) != "/etc/headwater/agent.yaml" {
		t.Errorf("conffiles: %q", got)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		output(t, 0, "sh", "-n", filepath.Join(control, script))
	}
	notices := output(t, 0, "gzip", "-dc", filepath.Join(root, "usr", "share", "doc", "headwater-agent", "third-party.gz"))
	for _, work := range []string{"Go standard library", "go.etcd.io/bbolt", "periph.io/x/devices", "github.com/klauspost/compress"} {
		if !regexp.MustCompile(`(?m)^==== ` + regexp.QuoteMeta(work)).MatchString(notices) {
			t.Errorf("no licence of %s", work)
		}
	}
}

// TestPurgeAloneRemovesReadings runs the maintainer script on what a package leaves behind.
func TestPurgeAloneRemovesReadings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(need.Repo(t), "deploy", "packages", "postrm.deb"))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "var", "lib", "headwater-agent")
	script := strings.NewReplacer("/var/lib/@NAME@", data, "/var/lib/private/@NAME@", data+"-private", "@NAME@", "headwater-agent",
		"/etc/headwater", t.TempDir(), "/run/systemd/system", "/nonexistent").Replace(string(text))
	for _, c := range []struct {
		why  string
		kept bool
	}{{"remove", true}, {"upgrade", true}, {"purge", false}} {
		if err := os.MkdirAll(data, 0o755); err != nil {
			t.Fatal(err)
		}
		output(t, 0, "sh", "-c", script, "postrm", c.why)
		if _, err := os.Stat(data); (err == nil) != c.kept {
			t.Errorf("after %s the readings are kept: %v, want %v", c.why, err == nil, c.kept)
		}
	}
}

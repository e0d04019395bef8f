package volatile

import (
	"testing"
)

// TestMountTables reads tables as devices have them.
func TestMountTables(t *testing.T) {
	memory := func(dir string) string { return dir + " is a tmpfs" }
	disk := func(string) string { return "" }
	for _, c := range []struct {
		name, line string
		upper      func(string) string
		want       string
	}{
		{"OpenWrt's /tmp", "20 15 0:14 / /tmp rw,nosuid,nodev,noatime - tmpfs tmpfs rw", disk, "/tmp is a tmpfs"},
		{
			"OpenWrt's root on flash", "15 1 0:13 / / rw,noatime - overlay overlayfs:/overlay rw,lowerdir=/,upperdir=/overlay/upper,workdir=/overlay/work",
			disk, "",
		},
		{
			"OpenWrt before its flash is ready", "15 1 0:13 / / rw,noatime - overlay overlayfs:/tmp/root rw,lowerdir=/,upperdir=/tmp/root/upper,workdir=/tmp/root/work",
			memory, "/ is an overlay that writes to /tmp/root/upper, and /tmp/root/upper is a tmpfs",
		},
		{
			"a Raspberry Pi with its overlay on", "24 1 0:21 / / rw,relatime shared:1 - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay,workdir=/media/root-rw/overlay-workdir/_",
			memory, "/ is an overlay that writes to /media/root-rw/overlay, and /media/root-rw/overlay is a tmpfs",
		},
		{"an overlay that cannot be written", "24 1 0:21 / / ro - overlay overlay ro,lowerdir=/a:/b", memory, ""},
		{"Armbian's log", "40 24 253:0 / /var/log rw - ext4 /dev/zram1 rw,discard", disk, "/var/log is on the RAM disk /dev/zram1"},
		{"a RAM disk", "40 24 1:0 / /data rw shared:7 master:3 - ext2 /dev/ram0 rw", disk, "/data is on the RAM disk /dev/ram0"},
		{"a card", "24 1 179:2 / / rw,noatime - ext4 /dev/mmcblk0p2 rw", memory, ""},
		{"a volume with ram in its name", "24 1 254:0 / /data rw - xfs /dev/mapper/ram-1 rw", memory, ""},
		{"an initial RAM disk", "1 1 0:2 / / rw - rootfs rootfs rw", disk, "/ is a rootfs"},
		{
			"blanks, commas and backslashes", `24 1 0:21 / /a\040b rw - overlay overlay rw,lowerdir=/l\134,x,upperdir=/u\134,p\040q,workdir=/w`,
			memory, "/a b is an overlay that writes to /u,p q, and /u,p q is a tmpfs",
		},
	} {
		all := mounts("nonsense\n" + c.line + "\n1 2 3\nx 1 0:2 / / rw - tmpfs t rw")
		if len(all) != 1 {
			t.Errorf("%s: read as %d mounts", c.name, len(all))
			continue
		}
		if got := all[0].inMemory(c.upper); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

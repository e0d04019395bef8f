// Package machine reads the health of the machine the agent runs on, from the
// files of the Linux kernel. Nothing is run, nothing needs a privilege.
//
//	series                                  unit  kind   from
//	load1 load5 load15                            float  /proc/loadavg
//	memory_total memory_available swap_free B     int    /proc/meminfo
//	uptime                                  s     float  /proc/uptime
//	net_rx_bytes net_tx_bytes               B     int    /proc/net/dev, all interfaces but lo
//	net_<interface>_rx_bytes ..._tx_bytes   B     int    the same, for listed interfaces
//	disk_total disk_free disk_inodes_free   B     int    statfs of one path; inodes have no unit
//	temperature_<chip>[_<label>]            Cel   float  /sys/class/hwmon without 1-wire, then thermal zones it does not have
//	cpu_frequency cpu_frequency_limit       Hz    int    cpufreq, of the fastest core; heat lowers the limit
//	cpu_throttle_events                     count int    thermal_throttle; threads of a core all count it
//	under_voltage frequency_capped                int    0 or 1, of a Raspberry Pi: get_throttled of its firmware, each
//	throttled temperature_limited                        also as ..._occurred, since boot or since the kernel cleared it;
//	                                                     a mainline kernel has under_voltage alone, in hwmon rpi_volt
//	<mmc>_life_used_a <mmc>_life_used_b     %     int    eMMC, upper end of its estimate, 110: beyond its life
//	<mmc>_pre_eol                                 int    eMMC, reserve blocks used: 1 few, 2 80 %, 3 90 %
//
// What the machine does not have when the agent starts, or what the kernel does
// not answer soon, is not announced, but for interfaces that are listed: they are
// due from the start. What it has no more at some tick is a null reading; the
// others of that tick stand (TestWhatIsGoneIsLeftOut,
// TestBadFilesOfThrottlingAndWear). Counters are the kernel's own, since its boot:
// they fall to 0 at a boot, never are differences, so a missed tick loses nothing
// of their sum. Free space is what an unprivileged process may still write.
//
// Names and units are proved by TestGolden and TestThrottlingAndWear on whole trees
// of files; the root of the tree is a setting, which also reads a host from inside
// a container. Nothing is kept, so nothing can be lost here.
package machine

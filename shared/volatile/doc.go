// Package volatile says whether a directory lies in memory, where a reboot takes what is in it: on tmpfs or
// ramfs, on a RAM disk or zram, or on an overlay whose upper layer is on one of these. OpenWrt's /var is a
// link to /tmp; a Raspberry Pi with its overlay switched on keeps all of / in memory.
//
// Promise: what is in memory is named with the mount it lies on, links followed, for a directory that does
// not exist yet too (TestRealMounts, TestMountTables). What can be missed: an overlay whose upper directory
// this process cannot see, as in a container, and memory behind a network.
// On systems other than Linux nothing is known.
package volatile

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
)

// What the driver returns on other systems.
var errNeedsLinux = errors.New("mounting volumes needs Linux")

func bindMount(from, to string, readOnly bool) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot mount %s at %s: %w", from, to, err)
	}
	if readOnly {
		// Linux ignores the flag where the mount is made.
		if err := unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("cannot make %s read-only: %w", to, err)
		}
	}
	return nil
}

// mountMemory makes a file system in memory, of this size.
func mountMemory(at string, bytes int64) error {
	if err := unix.Mount("kubestress", at, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		return fmt.Errorf("cannot mount memory at %s: %w", at, err)
	}
	return nil
}

func resizeMemory(at string, bytes int64) error {
	if err := unix.Mount("", at, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", bytes)); err != nil {
		return fmt.Errorf("cannot resize the memory at %s: %w", at, err)
	}
	return nil
}

func unmount(path string) error {
	if err := unix.Unmount(path, 0); err != nil {
		return fmt.Errorf("cannot unmount %s: %w", path, err)
	}
	return nil
}

// isMountPoint looks in the table of mounts, because a folder mounted from the same file system has the same device.
func isMountPoint(path string) (bool, error) {
	if _, err := os.Stat(path); err != nil {
		return false, err
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(table)) {
		// See proc_pid_mountinfo(5): the mount point is the fifth field.
		if fields := strings.Fields(line); len(fields) > 4 && unescaped(fields[4]) == path {
			return true, nil
		}
	}
	return false, nil
}

// unescaped has the blanks and backslashes back that the table writes as octal numbers.
func unescaped(field string) string {
	for _, char := range []byte{' ', '\t', '\n', '\\'} {
		field = strings.ReplaceAll(field, `\0`+strconv.FormatInt(int64(char), 8), string(char))
		field = strings.ReplaceAll(field, `\`+strconv.FormatInt(int64(char), 8), string(char))
	}
	return field
}

func usageOf(path string) ([]*csi.VolumeUsage, error) {
	var found unix.Statfs_t
	if err := unix.Statfs(path, &found); err != nil {
		return nil, fmt.Errorf("cannot read the usage of %s: %w", path, err)
	}
	block := int64(found.Bsize)
	return []*csi.VolumeUsage{
		{
			Unit:      csi.VolumeUsage_BYTES,
			Total:     int64(found.Blocks) * block,
			Available: int64(found.Bavail) * block,
			Used:      int64(found.Blocks-found.Bfree) * block,
		},
		{
			Unit:      csi.VolumeUsage_INODES,
			Total:     int64(found.Files),
			Available: int64(found.Ffree),
			Used:      int64(found.Files - found.Ffree),
		},
	}, nil
}

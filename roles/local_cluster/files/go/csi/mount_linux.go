package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// mount is a line of the table of mounts: the folder `root` of a file system is at the path `at`.
type mount struct{ device, root, at string }

// mounts has them in the order in which they were made. See proc_pid_mountinfo(5).
func mounts() ([]mount, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []mount
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			found = append(found, mount{fields[2], unescaped(fields[3]), unescaped(fields[4])})
		}
	}
	return found, nil
}

// isMountPoint looks in the table of mounts, because a folder mounted from the same file system has the same device.
func isMountPoint(path string) (bool, error) {
	if _, err := os.Stat(path); err != nil {
		return false, err
	}
	all, err := mounts()
	return slices.ContainsFunc(all, func(one mount) bool { return one.at == path }), err
}

// mountedElsewhere is a path, neither the folder's own nor `target`, at which a folder is mounted too; or empty.
func mountedElsewhere(folder, target string) (string, error) {
	all, err := mounts()
	if err != nil {
		return "", err
	}
	var own mount
	for _, one := range all {
		// What is mounted deepest has the folder, and of these the last.
		if isWithin(folder, one.at) && len(one.at) >= len(own.at) {
			own = one
		}
	}
	source := filepath.Join(own.root, strings.TrimPrefix(folder, own.at))
	for _, one := range all {
		if one.device == own.device && one.root == source && one.at != folder && one.at != target {
			return one.at, nil
		}
	}
	return "", nil
}

func isWithin(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
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

//go:build !linux

package main

import (
	"errors"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

var errNeedsLinux = errors.New("mounting volumes needs Linux")

func bindMount(string, string, bool) error { return errNeedsLinux }

func mountMemory(string, int64) error { return errNeedsLinux }

func resizeMemory(string, int64) error { return errNeedsLinux }

func unmount(string) error { return errNeedsLinux }

func isMountPoint(string) (bool, error) { return false, errNeedsLinux }

func mountedElsewhere(string, string) (string, error) { return "", errNeedsLinux }

func usageOf(string) ([]*csi.VolumeUsage, error) { return nil, errNeedsLinux }

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// safeID is what may be the name of a file, and is not hidden.
var safeID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

// inMemory is the medium of volumes that are file systems in memory.
const inMemory = "memory"

// volume is the content of volumes/ID.json. It is there only while volumes/ID, the folder, is complete.
type volume struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	CapacityBytes  int64  `json:"capacity_bytes"`
	Medium         string `json:"medium,omitempty"`
	SourceSnapshot string `json:"source_snapshot,omitempty"`
	SourceVolume   string `json:"source_volume,omitempty"`
}

// snapshot is the content of snapshots/ID.json. It is there only while snapshots/ID.tar is complete.
type snapshot struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	SourceVolume string    `json:"source_volume"`
	SizeBytes    int64     `json:"size_bytes"`
	Created      time.Time `json:"created"`
}

// store has all volumes and snapshots as files. One operation at a time on one id.
type store struct {
	volumes, snapshots string
	mounts             bool

	mutex sync.Mutex
	busy  map[string]bool
}

func openStore(folder string, mounts bool) (*store, error) {
	files := &store{
		mounts:    mounts,
		volumes:   filepath.Join(folder, "volumes"),
		snapshots: filepath.Join(folder, "snapshots"),
		busy:      map[string]bool{},
	}
	for _, path := range []string{files.volumes, files.snapshots} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
		if err := removeUnfinished(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// removeUnfinished removes what operations left that a crash interrupted.
func removeUnfinished(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, entry := range entries {
		if id, found := strings.CutSuffix(entry.Name(), ".json"); found && !strings.HasPrefix(id, ".") {
			known[id], known[id+".tar"], known[entry.Name()] = true, true, true
		}
	}
	for _, entry := range entries {
		if !known[entry.Name()] {
			if err := discard(filepath.Join(folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// claim reserves ids for one operation; another one on any of them is told to try again, as the specification asks.
func (files *store) claim(ids ...string) (release func(), err error) {
	files.mutex.Lock()
	defer files.mutex.Unlock()
	for _, id := range ids {
		if files.busy[id] {
			return nil, status.Errorf(codes.Aborted, "an operation on %s is not finished", id)
		}
	}
	for _, id := range ids {
		files.busy[id] = true
	}
	return func() {
		files.mutex.Lock()
		defer files.mutex.Unlock()
		for _, id := range ids {
			delete(files.busy, id)
		}
	}, nil
}

// idOf is the id of the volume or snapshot with a name: the name itself, where that can be the name of a file.
func idOf(name string) string {
	if safeID.MatchString(name) && !strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, ".tar") {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

func (files *store) volumeFolder(id string) string { return filepath.Join(files.volumes, id) }

func (files *store) archive(id string) string { return filepath.Join(files.snapshots, id+".tar") }

func (files *store) volume(id string) (*volume, error) {
	var found volume
	return &found, read(files.volumes, id, &found)
}

func (files *store) snapshot(id string) (*snapshot, error) {
	var found snapshot
	return &found, read(files.snapshots, id, &found)
}

// makeVolume makes the folder by `fill`, and then the volume known.
func (files *store) makeVolume(made *volume, fill func(folder string) error) error {
	folder := files.volumeFolder(made.ID)
	if err := discard(folder); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	if err := files.ready(made, fill); err != nil {
		return errors.Join(err, discard(folder))
	}
	return files.saveVolume(made)
}

func (files *store) ready(made *volume, fill func(folder string) error) error {
	folder := files.volumeFolder(made.ID)
	if err := files.ensureMemory(made); err != nil {
		return err
	}
	// Pods of any user write to it. Not by Mkdir, whose mode the umask cuts.
	if err := os.Chmod(folder, 0o777); err != nil {
		return err
	}
	return fill(folder)
}

// ensureMemory mounts the memory of a volume that has one, also when the node was started anew and lost what it held.
func (files *store) ensureMemory(one *volume) error {
	if one.Medium != inMemory || !files.mounts {
		return nil
	}
	folder := files.volumeFolder(one.ID)
	mounted, err := isMountPoint(folder)
	if err != nil || mounted {
		return err
	}
	return mountMemory(folder, one.CapacityBytes)
}

// resize changes the size of a volume; only memory has one of its own.
func (files *store) resize(one *volume, bytes int64) error {
	one.CapacityBytes = bytes
	if one.Medium == inMemory && files.mounts {
		folder := files.volumeFolder(one.ID)
		if mounted, err := isMountPoint(folder); err != nil || !mounted {
			return errors.Join(err, files.ensureMemory(one), files.saveVolume(one))
		}
		if err := resizeMemory(folder, bytes); err != nil {
			return err
		}
	}
	return files.saveVolume(one)
}

// discard removes a folder or file and what is mounted at it.
func discard(path string) error {
	mounted, err := isMountPoint(path)
	if err == nil && mounted {
		err = unmount(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNeedsLinux) {
		return err
	}
	return os.RemoveAll(path)
}

func (files *store) saveVolume(changed *volume) error {
	return write(files.volumes, changed.ID, changed)
}

func (files *store) deleteVolume(id string) error {
	// First what makes it known, so that a crash leaves nothing that looks complete.
	if err := removeIfThere(filepath.Join(files.volumes, id+".json")); err != nil {
		return err
	}
	return discard(files.volumeFolder(id))
}

// makeSnapshot packs the folder of a volume, and then makes the snapshot known.
func (files *store) makeSnapshot(made *snapshot) error {
	if err := packFile(files.volumeFolder(made.SourceVolume), files.archive(made.ID)); err != nil {
		return errors.Join(err, removeIfThere(files.archive(made.ID)))
	}
	return write(files.snapshots, made.ID, made)
}

func (files *store) deleteSnapshot(id string) error {
	if err := removeIfThere(filepath.Join(files.snapshots, id+".json")); err != nil {
		return err
	}
	return removeIfThere(files.archive(id))
}

// allSnapshots has every snapshot, sorted by id.
func (files *store) allSnapshots() ([]*snapshot, error) {
	paths, err := filepath.Glob(filepath.Join(files.snapshots, "*.json"))
	if err != nil {
		return nil, err
	}
	sort.Strings(paths)
	var found []*snapshot
	for _, path := range paths {
		one, err := files.snapshot(strings.TrimSuffix(filepath.Base(path), ".json"))
		if status.Code(err) == codes.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func read(folder, id string, into any) error {
	missing := status.Errorf(codes.NotFound, "there is no %q", id)
	if !safeID.MatchString(id) {
		return missing
	}
	text, err := os.ReadFile(filepath.Join(folder, id+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return missing
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func write(folder, id string, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	unfinished := filepath.Join(folder, "."+id+".json")
	if err := os.WriteFile(unfinished, text, 0o600); err != nil {
		return err
	}
	return os.Rename(unfinished, filepath.Join(folder, id+".json"))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

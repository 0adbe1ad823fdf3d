package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// packFile writes the content of a folder to a tar file.
func packFile(folder, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(pack(folder, file), file.Close())
}

// unpackFile makes the content of a folder that packFile has written.
func unpackFile(path, folder string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return unpack(file, folder)
}

// copyFolder copies the content of a folder as a snapshot and its restoration would.
func copyFolder(from, to string) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(pack(from, writer)) }()
	err := unpack(reader, to)
	reader.CloseWithError(err)
	return err
}

// pack writes folders, files and links with their modes, owners and times. A file that grows or shrinks meanwhile is cut
// or filled to the length that it had. Sockets, pipes and devices are left out.
func pack(folder string, to io.Writer) error {
	archive := tar.NewWriter(to)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return packOne(archive, folder, path)
	})
	return errors.Join(err, archive.Close())
}

func packOne(archive *tar.Writer, folder, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() && !info.IsDir() && info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	if header.Name, err = filepath.Rel(folder, path); err != nil {
		return err
	}
	header.Format = tar.FormatPAX
	if !info.Mode().IsRegular() {
		return archive.WriteHeader(header)
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	written, err := io.CopyN(archive, file, header.Size)
	if errors.Is(err, io.EOF) {
		_, err = io.CopyN(archive, zeros{}, header.Size-written)
	}
	return err
}

type zeros struct{}

func (zeros) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}

// unpack stays inside the folder, whatever names and links the archive has.
func unpack(from io.Reader, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	archive := tar.NewReader(from)
	// Times of folders last, because what is written into them changes them.
	var folders []*tar.Header
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := unpackOne(root, header, archive); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
		if header.Typeflag == tar.TypeDir {
			folders = append(folders, header)
		}
	}
	for _, header := range folders {
		if err := root.Chtimes(header.Name, header.ModTime, header.ModTime); err != nil {
			return err
		}
	}
	return nil
}

func unpackOne(root *os.Root, header *tar.Header, content io.Reader) error {
	switch header.Typeflag {
	case tar.TypeDir:
		if err := root.Mkdir(header.Name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case tar.TypeSymlink:
		if err := root.Symlink(header.Linkname, header.Name); err != nil {
			return err
		}
		return own(root, header)
	case tar.TypeReg:
		file, err := root.OpenFile(header.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unexpected type %q", header.Typeflag)
	}
	// The mode after the owner, because a change of owner removes set-user-ID.
	if err := own(root, header); err != nil {
		return err
	}
	if err := root.Chmod(header.Name, header.FileInfo().Mode()); err != nil {
		return err
	}
	return root.Chtimes(header.Name, header.ModTime, header.ModTime)
}

// own gives a file its owner; only root may.
func own(root *os.Root, header *tar.Header) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return root.Lchown(header.Name, header.Uid, header.Gid)
}

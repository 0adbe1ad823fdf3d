package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// onePodOnly is what ReadWriteOncePod is called here.
const onePodOnly = csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER

type nodeServer struct {
	csi.UnimplementedNodeServer
	store  *store
	nodeID string
}

func (server *nodeServer) NodeGetInfo(
	context.Context, *csi.NodeGetInfoRequest,
) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: server.nodeID}, nil
}

func (*nodeServer) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	answer := &csi.NodeGetCapabilitiesResponse{}
	for _, kind := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
		csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: kind}},
		})
	}
	return answer, nil
}

// NodePublishVolume mounts the volume's folder where the kubelet wants it.
func (server *nodeServer) NodePublishVolume(
	_ context.Context, request *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	target := request.GetTargetPath()
	if request.GetVolumeId() == "" || target == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume id or the target path is missing")
	}
	if err := checkCapability(request.GetVolumeCapability()); err != nil {
		return nil, err
	}
	isForOne := request.GetVolumeCapability().GetAccessMode().GetMode() == onePodOnly
	busy := []string{"node/" + request.GetVolumeId() + target}
	if isForOne {
		busy = append(busy, "node/"+request.GetVolumeId())
	}
	release, err := server.store.claim(busy...)
	if err != nil {
		return nil, err
	}
	defer release()
	wanted, err := server.store.volume(request.GetVolumeId())
	if err != nil {
		return nil, err
	}
	if err := server.store.ensureMemory(wanted); err != nil {
		return nil, err
	}
	if isForOne {
		if err := checkUnused(server.store.volumeFolder(wanted.ID), target); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, err
	}
	mounted, err := isMountPoint(target)
	if err != nil {
		return nil, err
	}
	if !mounted {
		if err := bindMount(server.store.volumeFolder(request.GetVolumeId()), target, request.GetReadonly()); err != nil {
			return nil, errors.Join(err, os.Remove(target))
		}
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// checkUnused refuses a second path of a volume that only one pod may use (ReadWriteOncePod).
func checkUnused(folder, target string) error {
	elsewhere, err := mountedElsewhere(folder, target)
	if err != nil || elsewhere == "" {
		return err
	}
	return status.Errorf(
		codes.FailedPrecondition, "only one pod may use %s, and it is mounted at %s", filepath.Base(folder), elsewhere)
}

func (server *nodeServer) NodeUnpublishVolume(
	_ context.Context, request *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	target := request.GetTargetPath()
	if request.GetVolumeId() == "" || target == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume id or the target path is missing")
	}
	release, err := server.store.claim("node/" + request.GetVolumeId() + target)
	if err != nil {
		return nil, err
	}
	defer release()
	mounted, err := isMountPoint(target)
	if errors.Is(err, fs.ErrNotExist) {
		return &csi.NodeUnpublishVolumeResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	if mounted {
		if err := unmount(target); err != nil {
			return nil, err
		}
	}
	// Only the empty folder: what was mounted there is not removed with it.
	if err := removeIfThere(target); err != nil {
		return nil, err
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// NodeGetVolumeStats has the figures of the file system: for folders the same for all of them, for memory its own.
func (server *nodeServer) NodeGetVolumeStats(
	_ context.Context, request *csi.NodeGetVolumeStatsRequest,
) (*csi.NodeGetVolumeStatsResponse, error) {
	path := request.GetVolumePath()
	if request.GetVolumeId() == "" || path == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume id or the volume path is missing")
	}
	if _, err := server.store.volume(request.GetVolumeId()); err != nil {
		return nil, err
	}
	mounted, err := isMountPoint(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !mounted) {
		return nil, status.Errorf(codes.NotFound, "%s is not mounted at %s", request.GetVolumeId(), path)
	}
	if err != nil {
		return nil, err
	}
	usage, err := usageOf(path)
	if err != nil {
		return nil, err
	}
	return &csi.NodeGetVolumeStatsResponse{Usage: usage}, nil
}

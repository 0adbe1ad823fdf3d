package main

import (
	"context"
	"strconv"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// defaultBytes is the size of a volume for which none is asked.
const defaultBytes = 1 << 30

type controllerServer struct {
	csi.UnimplementedControllerServer
	store *store
}

func (*controllerServer) ControllerGetCapabilities(
	context.Context, *csi.ControllerGetCapabilitiesRequest,
) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}},
		})
	}
	return answer, nil
}

func (server *controllerServer) CreateVolume(
	_ context.Context, request *csi.CreateVolumeRequest,
) (*csi.CreateVolumeResponse, error) {
	if request.GetName() == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume needs a name")
	}
	if err := checkCapabilities(request.GetVolumeCapabilities()); err != nil {
		return nil, err
	}
	bytes, err := sizeOf(request.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	medium := request.GetParameters()["medium"]
	if medium != "" && medium != inMemory {
		return nil, status.Errorf(codes.InvalidArgument, "medium is %q; allowed is %q or none", medium, inMemory)
	}
	wanted := &volume{ID: idOf(request.GetName()), Name: request.GetName(), CapacityBytes: bytes, Medium: medium}
	wanted.SourceSnapshot = request.GetVolumeContentSource().GetSnapshot().GetSnapshotId()
	wanted.SourceVolume = request.GetVolumeContentSource().GetVolume().GetVolumeId()
	release, err := server.store.claim(wanted.ids()...)
	if err != nil {
		return nil, err
	}
	defer release()
	existing, err := server.store.volume(wanted.ID)
	switch {
	case status.Code(err) == codes.NotFound:
		if err := server.make(wanted); err != nil {
			return nil, err
		}
		existing = wanted
	case err != nil:
		return nil, err
	case !fits(existing, wanted, request.GetCapacityRange()):
		return nil, status.Errorf(codes.AlreadyExists, "the volume %s has another size, medium or source", existing.Name)
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:      existing.ID,
		CapacityBytes: existing.CapacityBytes,
		ContentSource: request.GetVolumeContentSource(),
	}}, nil
}

// ids are the volume's own id and that of its source volume, which must not change while it is read.
func (one *volume) ids() []string {
	if one.SourceVolume == "" || one.SourceVolume == one.ID {
		return []string{one.ID}
	}
	return []string{one.ID, one.SourceVolume}
}

// make fills the new volume from its source, if it has one.
func (server *controllerServer) make(wanted *volume) error {
	needed := int64(0)
	fill := func(string) error { return nil }
	switch {
	case wanted.SourceSnapshot != "":
		source, err := server.store.snapshot(wanted.SourceSnapshot)
		if err != nil {
			return err
		}
		needed = source.SizeBytes
		fill = func(folder string) error { return unpackFile(server.store.archive(source.ID), folder) }
	case wanted.SourceVolume != "":
		source, err := server.store.volume(wanted.SourceVolume)
		if err != nil {
			return err
		}
		needed = source.CapacityBytes
		fill = func(folder string) error { return copyFolder(server.store.volumeFolder(source.ID), folder) }
	}
	if wanted.CapacityBytes < needed {
		return status.Errorf(
			codes.OutOfRange, "%d bytes are less than the %d bytes of the source", wanted.CapacityBytes, needed)
	}
	return server.store.makeVolume(wanted, fill)
}

func (server *controllerServer) DeleteVolume(
	_ context.Context, request *csi.DeleteVolumeRequest,
) (*csi.DeleteVolumeResponse, error) {
	id := request.GetVolumeId()
	if id == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume id is missing")
	}
	release, err := server.store.claim(id)
	if err != nil {
		return nil, err
	}
	defer release()
	if safeID.MatchString(id) {
		if err := server.store.deleteVolume(id); err != nil {
			return nil, err
		}
	}
	return &csi.DeleteVolumeResponse{}, nil
}

// ControllerPublishVolume has nothing to do: the folder is there for every node of this machine.
func (server *controllerServer) ControllerPublishVolume(
	_ context.Context, request *csi.ControllerPublishVolumeRequest,
) (*csi.ControllerPublishVolumeResponse, error) {
	if request.GetVolumeId() == "" || request.GetNodeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume id or node id is missing")
	}
	if err := checkCapability(request.GetVolumeCapability()); err != nil {
		return nil, err
	}
	if _, err := server.store.volume(request.GetVolumeId()); err != nil {
		return nil, err
	}
	return &csi.ControllerPublishVolumeResponse{}, nil
}

func (*controllerServer) ControllerUnpublishVolume(
	_ context.Context, request *csi.ControllerUnpublishVolumeRequest,
) (*csi.ControllerUnpublishVolumeResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume id is missing")
	}
	return &csi.ControllerUnpublishVolumeResponse{}, nil
}

func (server *controllerServer) ValidateVolumeCapabilities(
	_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest,
) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if request.GetVolumeId() == "" || len(request.GetVolumeCapabilities()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "a volume id or the capabilities are missing")
	}
	if _, err := server.store.volume(request.GetVolumeId()); err != nil {
		return nil, err
	}
	if err := checkCapabilities(request.GetVolumeCapabilities()); err != nil {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: status.Convert(err).Message()}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
			VolumeContext:      request.GetVolumeContext(),
			VolumeCapabilities: request.GetVolumeCapabilities(),
			Parameters:         request.GetParameters(),
		},
	}, nil
}

// ControllerExpandVolume changes the size of memory, and of a folder only the size that is told.
func (server *controllerServer) ControllerExpandVolume(
	_ context.Context, request *csi.ControllerExpandVolumeRequest,
) (*csi.ControllerExpandVolumeResponse, error) {
	if request.GetVolumeId() == "" || request.GetCapacityRange() == nil {
		return nil, status.Error(codes.InvalidArgument, "a volume id or the size is missing")
	}
	bytes, err := sizeOf(request.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	release, err := server.store.claim(request.GetVolumeId())
	if err != nil {
		return nil, err
	}
	defer release()
	existing, err := server.store.volume(request.GetVolumeId())
	if err != nil {
		return nil, err
	}
	if existing.CapacityBytes < bytes {
		if err := server.store.resize(existing, bytes); err != nil {
			return nil, err
		}
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: existing.CapacityBytes}, nil
}

func (server *controllerServer) CreateSnapshot(
	_ context.Context, request *csi.CreateSnapshotRequest,
) (*csi.CreateSnapshotResponse, error) {
	if request.GetName() == "" || request.GetSourceVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "a name or the source volume is missing")
	}
	id := idOf(request.GetName())
	release, err := server.store.claim("snapshot/"+id, request.GetSourceVolumeId())
	if err != nil {
		return nil, err
	}
	defer release()
	existing, err := server.store.snapshot(id)
	switch {
	case status.Code(err) == codes.NotFound:
		source, err := server.store.volume(request.GetSourceVolumeId())
		if err != nil {
			return nil, err
		}
		existing = &snapshot{
			ID: id, Name: request.GetName(), SourceVolume: source.ID, SizeBytes: source.CapacityBytes,
			Created: time.Now().UTC(),
		}
		if err := server.store.makeSnapshot(existing); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case existing.SourceVolume != request.GetSourceVolumeId():
		return nil, status.Errorf(codes.AlreadyExists, "the snapshot %s is of another volume", existing.Name)
	}
	return &csi.CreateSnapshotResponse{Snapshot: existing.told()}, nil
}

func (server *controllerServer) DeleteSnapshot(
	_ context.Context, request *csi.DeleteSnapshotRequest,
) (*csi.DeleteSnapshotResponse, error) {
	id := request.GetSnapshotId()
	if id == "" {
		return nil, status.Error(codes.InvalidArgument, "a snapshot id is missing")
	}
	release, err := server.store.claim("snapshot/" + id)
	if err != nil {
		return nil, err
	}
	defer release()
	if safeID.MatchString(id) {
		if err := server.store.deleteSnapshot(id); err != nil {
			return nil, err
		}
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

func (server *controllerServer) ListSnapshots(
	_ context.Context, request *csi.ListSnapshotsRequest,
) (*csi.ListSnapshotsResponse, error) {
	all, err := server.store.allSnapshots()
	if err != nil {
		return nil, err
	}
	var wanted []*snapshot
	for _, one := range all {
		if id := request.GetSnapshotId(); id != "" && id != one.ID {
			continue
		}
		if id := request.GetSourceVolumeId(); id != "" && id != one.SourceVolume {
			continue
		}
		wanted = append(wanted, one)
	}
	begin := 0
	if token := request.GetStartingToken(); token != "" {
		if begin, err = strconv.Atoi(token); err != nil || begin < 0 || begin > len(wanted) {
			return nil, status.Errorf(codes.Aborted, "the token %q is not one of this list", token)
		}
	}
	end := len(wanted)
	answer := &csi.ListSnapshotsResponse{}
	if most := int(request.GetMaxEntries()); most > 0 && begin+most < end {
		end = begin + most
		answer.NextToken = strconv.Itoa(end)
	}
	for _, one := range wanted[begin:end] {
		answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: one.told()})
	}
	return answer, nil
}

func (one *snapshot) told() *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId: one.ID, SourceVolumeId: one.SourceVolume, SizeBytes: one.SizeBytes,
		CreationTime: timestamppb.New(one.Created), ReadyToUse: true,
	}
}

// sizeOf is the size that is asked for.
func sizeOf(wanted *csi.CapacityRange) (int64, error) {
	required, limit := wanted.GetRequiredBytes(), wanted.GetLimitBytes()
	if required < 0 || limit < 0 || (limit > 0 && required > limit) {
		return 0, status.Errorf(codes.OutOfRange, "no size is at least %d and at most %d bytes", required, limit)
	}
	if required > 0 {
		return required, nil
	}
	if limit > 0 {
		return min(limit, defaultBytes), nil
	}
	return defaultBytes, nil
}

// fits tells whether an existing volume is what is asked for.
func fits(existing, wanted *volume, size *csi.CapacityRange) bool {
	limit := size.GetLimitBytes()
	return existing.CapacityBytes >= size.GetRequiredBytes() &&
		(limit == 0 || existing.CapacityBytes <= limit) && existing.Medium == wanted.Medium &&
		existing.SourceSnapshot == wanted.SourceSnapshot && existing.SourceVolume == wanted.SourceVolume
}

func checkCapabilities(wanted []*csi.VolumeCapability) error {
	if len(wanted) == 0 {
		return status.Error(codes.InvalidArgument, "the capabilities are missing")
	}
	for _, one := range wanted {
		if err := checkCapability(one); err != nil {
			return err
		}
	}
	return nil
}

func checkCapability(wanted *csi.VolumeCapability) error {
	switch {
	case wanted == nil:
		return status.Error(codes.InvalidArgument, "a capability is missing")
	case wanted.GetBlock() != nil:
		return status.Error(codes.InvalidArgument, "volumes are folders: volumeMode Block is not possible")
	}
	return nil
}

// A CSI driver whose volumes are folders of this machine, for the embedded cluster: its controller service for all
// nodes, and with -node-id the node service of one, which it registers with the kubelet itself. Beside a node service a
// volume may also be in memory (parameter medium), which has a size of its own that can be filled.
//
// Everything it knows lies in files below its folder, so that nothing is lost when it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// Set by the linker.
var version = "unknown"

const driverName = "hostpath.kubestress.core"

func main() {
	endpoint := flag.String("endpoint", "", "path of the unix socket of the driver")
	folder := flag.String("folder", "", "folder of volumes and snapshots")
	nodeID := flag.String("node-id", "", "name of the node whose volumes are mounted here; empty: no node service")
	registrationSocket := flag.String("registration-socket", "", "path of a socket in the kubelet's folder of plug-ins")
	showVersion := flag.Bool("version", false, "print the version")
	flag.Parse()
	if *showVersion {
		fmt.Println("csi-hostpath", version)
		return
	}
	if err := run(*endpoint, *folder, *nodeID, *registrationSocket); err != nil {
		log.Fatalf("error: %v", err)
	}
}

func run(endpoint, folder, nodeID, registrationSocket string) error {
	if endpoint == "" || folder == "" {
		return errors.New("-endpoint and -folder are required")
	}
	// Where nothing is mounted, a volume in memory is a folder like any other.
	files, err := openStore(folder, nodeID != "")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(logErrors))
	csi.RegisterIdentityServer(server, identityServer{})
	csi.RegisterControllerServer(server, &controllerServer{store: files})
	servers := map[string]*grpc.Server{endpoint: server}
	if nodeID != "" {
		csi.RegisterNodeServer(server, &nodeServer{store: files, nodeID: nodeID})
	}
	if registrationSocket != "" {
		plugins := grpc.NewServer(grpc.UnaryInterceptor(logErrors))
		registration.RegisterRegistrationServer(plugins, &registrationServer{endpoint: endpoint})
		servers[registrationSocket] = plugins
	}
	return serve(servers)
}

// serve answers on every socket until one fails or the process has to end.
func serve(servers map[string]*grpc.Server) error {
	failed := make(chan error, len(servers))
	for path, server := range servers {
		listener, err := listen(path)
		if err != nil {
			return err
		}
		go func() { failed <- server.Serve(listener) }()
		log.Printf("listening on %s", path)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	select {
	case err := <-failed:
		return err
	case <-ended:
		for _, server := range servers {
			server.Stop()
		}
		return nil
	}
}

// listen makes a socket, in place of one that an earlier process left.
func listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

func logErrors(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	answer, err := handler(ctx, request)
	if err != nil {
		log.Printf("error: %s: %v", info.FullMethod, err)
	}
	return answer, err
}

type identityServer struct {
	csi.UnimplementedIdentityServer
}

func (identityServer) GetPluginInfo(
	context.Context, *csi.GetPluginInfoRequest,
) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: driverName, VendorVersion: version}, nil
}

func (identityServer) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (identityServer) GetPluginCapabilities(
	context.Context, *csi.GetPluginCapabilitiesRequest,
) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{
		{Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{
			Type: csi.PluginCapability_Service_CONTROLLER_SERVICE,
		}}},
		{Type: &csi.PluginCapability_VolumeExpansion_{VolumeExpansion: &csi.PluginCapability_VolumeExpansion{
			Type: csi.PluginCapability_VolumeExpansion_ONLINE,
		}}},
	}}, nil
}

// registrationServer is what the program node-driver-registrar does beside other drivers.
type registrationServer struct {
	registration.UnimplementedRegistrationServer
	endpoint string
}

func (server *registrationServer) GetInfo(
	context.Context, *registration.InfoRequest,
) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              driverName,
		Endpoint:          server.endpoint,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (*registrationServer) NotifyRegistrationStatus(
	_ context.Context, status *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if !status.PluginRegistered {
		// Ends the process, so that the cluster names it, rather than mounting nothing in silence.
		log.Fatalf("error: the kubelet refused the driver: %s", status.Error)
	}
	log.Print("registered with the kubelet")
	return &registration.RegistrationStatusResponse{}, nil
}

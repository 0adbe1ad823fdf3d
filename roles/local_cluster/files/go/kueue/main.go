// Kueue for the embedded cluster: what cmd/kueue of sigs.k8s.io/kueue does, with Jobs and JobSets as the only kinds that
// it queues, and without what needs files of a container's own (/etc/kueue, /visibility): metrics and the visibility
// server. MultiKueue and provisioning requests are left out.
//
// After cmd/kueue/main.go, Copyright The Kubernetes Authors, Apache License 2.0 (crds/kueue/LICENSE).
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	configapi "sigs.k8s.io/kueue/apis/config/v1beta2"
	kueuealpha "sigs.k8s.io/kueue/apis/kueue/v1alpha1"
	kueuev1beta1 "sigs.k8s.io/kueue/apis/kueue/v1beta1"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta2"
	qcache "sigs.k8s.io/kueue/pkg/cache/queue"
	schdcache "sigs.k8s.io/kueue/pkg/cache/scheduler"
	"sigs.k8s.io/kueue/pkg/config"
	"sigs.k8s.io/kueue/pkg/constants"
	"sigs.k8s.io/kueue/pkg/controller/core"
	"sigs.k8s.io/kueue/pkg/controller/core/indexer"
	"sigs.k8s.io/kueue/pkg/controller/jobframework"
	_ "sigs.k8s.io/kueue/pkg/controller/jobs/job"
	_ "sigs.k8s.io/kueue/pkg/controller/jobs/jobset"
	"sigs.k8s.io/kueue/pkg/controller/tas"
	tasindexer "sigs.k8s.io/kueue/pkg/controller/tas/indexer"
	"sigs.k8s.io/kueue/pkg/metrics"
	"sigs.k8s.io/kueue/pkg/resources"
	"sigs.k8s.io/kueue/pkg/scheduler"
	preemptexpectations "sigs.k8s.io/kueue/pkg/scheduler/preemption/expectations"
	"sigs.k8s.io/kueue/pkg/util/expectations"
	"sigs.k8s.io/kueue/pkg/util/kubeversion"
	"sigs.k8s.io/kueue/pkg/util/useragent"
	"sigs.k8s.io/kueue/pkg/webhooks"
)

var (
	scheme = runtime.NewScheme()
	// Set by the linker.
	version = "unknown"
)

func init() {
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, kueue.AddToScheme, kueuev1beta1.AddToScheme, kueuealpha.AddToScheme,
		configapi.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	utilruntime.Must(jobframework.ForEachIntegration(func(_ string, one jobframework.IntegrationCallbacks) error {
		if one.AddToScheme == nil {
			return nil
		}
		return one.AddToScheme(scheme)
	}))
}

func main() {
	configFile := flag.String("config", "", "The configuration file.")
	showVersion := flag.Bool("version", false, "Print the version and end.")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	if *showVersion {
		fmt.Println(version)
		return
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	if err := run(ctrl.SetupSignalHandler(), *configFile); err != nil {
		ctrl.Log.Error(err, "kueue ends")
		os.Exit(1)
	}
}

// Everything that the controller consists of, with the same options in each part.
type parts struct {
	mgr          ctrl.Manager
	cfg          *configapi.Configuration
	cache        *schdcache.Cache
	queues       *qcache.Manager
	expectations *expectations.Store
	formatter    *resources.ResourceFormatter
}

func run(ctx context.Context, configFile string) error {
	options, cfg, err := config.Load(scheme, configFile)
	if err != nil {
		return fmt.Errorf("loading the configuration: %w", err)
	}
	if err := config.LoadAndValidateFeatureGates("", cfg.FeatureGates).ToAggregate(); err != nil {
		return fmt.Errorf("the configuration's feature gates: %w", err)
	}
	if err := config.Validate(&cfg, scheme).ToAggregate(); err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	if err := config.AddWebhookSettingsTo(&options, &cfg); err != nil {
		return fmt.Errorf("the webhooks' server: %w", err)
	}
	options.Metrics = metricsserver.Options{BindAddress: cfg.Metrics.BindAddress}
	metrics.Register()
	client := ctrl.GetConfigOrDie()
	client.UserAgent = useragent.Default()
	client.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(
		*cfg.ClientConnection.QPS, int(*cfg.ClientConnection.Burst))
	mgr, err := ctrl.NewManager(client, options)
	if err != nil {
		return fmt.Errorf("the manager: %w", err)
	}
	all, err := newParts(ctx, mgr, &cfg)
	if err != nil {
		return err
	}
	if err := all.setup(ctx, client); err != nil {
		return err
	}
	go all.queues.CleanUpOnContext(ctx)
	go all.cache.CleanUpOnContext(ctx)
	return mgr.Start(ctx)
}

func newParts(ctx context.Context, mgr ctrl.Manager, cfg *configapi.Configuration) (*parts, error) {
	formatter := resources.NewResourceFormatter()
	cache := schdcache.New(mgr.GetClient(), schdcache.WithResourceFormatter(formatter))
	requeuer := qcache.NewRequeuer()
	if err := mgr.Add(requeuer); err != nil {
		return nil, fmt.Errorf("the requeuer: %w", err)
	}
	preemptions := preemptexpectations.New()
	queues := qcache.NewManager(mgr.GetClient(), cache, requeuer,
		qcache.WithResourceFormatter(formatter), qcache.WithPreemptionExpectations(preemptions))
	if err := indexer.Setup(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, fmt.Errorf("the indexes: %w", err)
	}
	if err := tasindexer.SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, fmt.Errorf("the indexes of topologies: %w", err)
	}
	frameworks := jobframework.WithEnabledFrameworks(cfg.Integrations.Frameworks)
	if err := jobframework.SetupIndexes(ctx, mgr.GetFieldIndexer(), frameworks); err != nil {
		return nil, fmt.Errorf("the indexes of jobs: %w", err)
	}
	return &parts{mgr, cfg, cache, queues, preemptions, formatter}, nil
}

func (all *parts) setup(ctx context.Context, client *rest.Config) error {
	mgr := all.mgr
	if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return err
	}
	// Ready when the webhooks are served, so that no early request is refused.
	if err := mgr.AddReadyzCheck("readyz", func(request *http.Request) error {
		return mgr.GetWebhookServer().StartedChecker()(request)
	}); err != nil {
		return err
	}
	if failed, err := core.SetupControllers(mgr, all.queues, all.cache, all.cfg, core.SetupControllersOpts{
		PreemptionExpectations: all.expectations,
		ResourceFormatter:      all.formatter,
	}); err != nil {
		return fmt.Errorf("the controller %s: %w", failed, err)
	}
	if failed, err := tas.SetupControllers(mgr, all.queues, all.cache, all.cfg, nil); err != nil {
		return fmt.Errorf("the controller %s: %w", failed, err)
	}
	if err := all.setupJobs(ctx, client); err != nil {
		return err
	}
	if failed, err := webhooks.Setup(mgr, nil); err != nil {
		return fmt.Errorf("the webhook of %s: %w", failed, err)
	}
	return mgr.Add(scheduler.New(all.queues, all.cache, mgr.GetClient(), mgr.GetEventRecorder(constants.AdmissionName),
		scheduler.WithPreemptionExpectations(all.expectations), scheduler.WithResourceFormatter(all.formatter)))
}

func (all *parts) setupJobs(ctx context.Context, client *rest.Config) error {
	asking, err := discovery.NewDiscoveryClientForConfig(client)
	if err != nil {
		return err
	}
	server := kubeversion.NewServerVersionFetcher(asking)
	if err := all.mgr.Add(server); err != nil {
		return err
	}
	if err := server.FetchServerVersion(); err != nil {
		return fmt.Errorf("the server's version: %w", err)
	}
	namespaces, err := metav1.LabelSelectorAsSelector(all.cfg.ManagedJobsNamespaceSelector)
	if err != nil {
		return fmt.Errorf("managedJobsNamespaceSelector: %w", err)
	}
	return jobframework.SetupControllers(ctx, all.mgr, ctrl.Log.WithName("setup"),
		jobframework.WithManageJobsWithoutQueueName(all.cfg.ManageJobsWithoutQueueName),
		jobframework.WithWaitForPodsReady(all.cfg.WaitForPodsReady),
		jobframework.WithKubeServerVersion(server),
		jobframework.WithEnabledFrameworks(all.cfg.Integrations.Frameworks),
		jobframework.WithEnabledExternalFrameworks(all.cfg.Integrations.ExternalFrameworks),
		jobframework.WithManagerName(constants.KueueName),
		jobframework.WithLabelKeysToCopy(sets.New(all.cfg.Integrations.LabelKeysToCopy...)),
		jobframework.WithAnnotationsToCopy(sets.New[string]()),
		jobframework.WithCache(all.cache),
		jobframework.WithQueues(all.queues),
		jobframework.WithObjectRetentionPolicies(all.cfg.ObjectRetentionPolicies),
		jobframework.WithManagedJobsNamespaceSelector(namespaces),
	)
}
